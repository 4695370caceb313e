import type { Operation, OperationRequest, OperationState, Replaced } from '@holdfast/core'
import { FINISHED_STATES, NameSchema, OPERATION_TYPES } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Count, FailureView, idOf, Moment, mapOf, oneOf, orNull, toFailureView } from '../../http/fields.ts'
import { pageQuery } from '../../http/page.ts'

const STATES = [
  'queued',
  'waiting',
  'running',
  ...FINISHED_STATES,
] as const satisfies readonly OperationState[]

/** Longest time that a long poll may ask for. */
export const LONGEST_WAIT_S = 60

export const OperationParams = Type.Object({ id: idOf('Of the operation') }, { additionalProperties: false })

export const OperationQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: LONGEST_WAIT_S,
        description: 'Seconds to wait for the end before answering',
      }),
    ),
  },
  { additionalProperties: false },
)

export const OperationListQuery = Type.Object(
  {
    state: Type.Optional(oneOf(STATES)),
    type: Type.Optional(oneOf(OPERATION_TYPES)),
    target: Type.Optional(NameSchema),
    backupId: Type.Optional(idOf('Of the backup that it makes or uses')),
    group: Type.Optional(idOf('The operation of a group: its members')),
    ...pageQuery,
  },
  { additionalProperties: false },
)

export const OperationView = Type.Object(
  {
    id: Type.String(),
    type: oneOf(OPERATION_TYPES),
    target: orNull(Type.String()),
    state: oneOf(STATES),
    phase: orNull(Type.String()),
    progress: Type.Object({
      percent: Type.Optional(Type.Number()),
      bytes: Count,
      totalBytes: Type.Optional(Count),
      objects: Type.Optional(Count),
      totalObjects: Type.Optional(Count),
    }),
    coalesced: Type.Boolean({
      description: 'True if an equal request was under way and this is its operation',
    }),
    backupId: orNull(Type.String()),
    request: mapOf(Type.Unknown(), 'What was asked for, defaults filled in'),
    result: orNull(mapOf(Type.Unknown())),
    error: orNull(FailureView),
    requestedBy: Type.String(),
    attempts: Count,
    cancelRequested: Type.Boolean(),
    createdAt: Moment,
    startedAt: orNull(Moment),
    finishedAt: orNull(Moment),
  },
  { $id: 'Operation' },
)
export type OperationView = Static<typeof OperationView>

/** The only place where an operation becomes JSON. */
export function toOperationView(operation: Operation, coalesced = false): OperationView {
  return {
    id: operation.id,
    type: operation.type,
    target: operation.target,
    state: operation.state,
    phase: operation.phase,
    progress: { ...operation.progress },
    coalesced,
    backupId: operation.backupId,
    request: toRequestView(operation.request),
    result: operation.result === null ? null : { ...operation.result },
    error: operation.error && toFailureView(operation.error),
    requestedBy: operation.requestedBy,
    attempts: operation.attempts,
    cancelRequested: operation.cancelRequested,
    createdAt: operation.createdAt,
    startedAt: operation.startedAt,
    finishedAt: operation.finishedAt,
  }
}

/** Sealed URLs stay in the catalog: a destination is shown without its secrets. */
function toRequestView(request: OperationRequest): Record<string, unknown> {
  if (request.type !== 'restore') return { ...request }
  const { into } = request
  return { ...request, into: 'target' in into ? { ...into } : { url: into.displayUrl } }
}

export const ReplacedView = Type.Object(
  {
    operationId: Type.String({ description: 'The restore that replaced it, and that undoing takes back' }),
    target: orNull(Type.String()),
    engine: Type.String(),
    location: Type.String(),
    createdAt: Moment,
    expiresAt: Moment,
  },
  { $id: 'Replaced' },
)
export type ReplacedView = Static<typeof ReplacedView>

export function toReplacedView(replaced: Replaced): ReplacedView {
  return {
    operationId: replaced.operationId,
    target: replaced.target,
    engine: replaced.engine,
    location: replaced.location,
    createdAt: replaced.createdAt,
    expiresAt: replaced.expiresAt,
  }
}
