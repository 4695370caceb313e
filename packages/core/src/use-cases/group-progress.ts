import type { Operation } from '../domain/operation.ts'
import { isFinished } from '../domain/operation.ts'
import type { Failure } from '../errors.ts'
import { AppError, toFailure } from '../errors.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import type { OperationPause } from '../ports/handler.ts'
import type { GroupJournal, PlannedMember } from './group-journal.ts'

/** So many names stand in the failure of a group; its result has them all. */
const MOST_NAMED = 10

/** A group as it stands: what was planned, and what became of it so far. */
export interface GroupState {
  readonly journal: GroupJournal
  readonly members: readonly Operation[]
}

/** Members that are on their way. */
export function unfinishedOf({ members }: Pick<GroupState, 'members'>): readonly Operation[] {
  return members.filter((member) => !isFinished(member))
}

/** What is still to be accepted, in order. */
export function unbegunOf({ journal, members }: GroupState): readonly PlannedMember[] {
  const begun = new Set(members.map((member) => member.id))
  return journal.members.filter((planned) => planned.refused === null && !begun.has(planned.operationId))
}

/** How many databases will not change any more. */
export function finishedCount(state: GroupState): number {
  return state.journal.members.length - unfinishedOf(state).length - unbegunOf(state).length
}

/** The group waits for its members. */
export function pauseOf(state: GroupState): OperationPause {
  const [objects, totalObjects] = [finishedCount(state), state.journal.members.length]
  const bytes = state.members.reduce((sum, { result }) => sum + sizeIn(result), 0)
  const percent = Math.floor((objects / totalObjects) * 100)
  return { state: 'waiting', phase: 'members', progress: { bytes, objects, totalObjects, percent } }
}

/** The end of a group whose members have all ended. `reason`: why it was ended before its time. */
export function endOf(state: GroupState, reason: Failure | null): OperationEnd {
  const members = state.journal.members.map((planned) => outcomeOf(planned, state.members))
  const failed = members.filter((member) => member.state !== 'completed')
  const result = {
    members,
    completed: members.length - failed.length,
    failed: failed.length,
    warnings: state.journal.warnings,
  }
  const nothingElse = { backup: null, replaced: null, undone: null } as const
  if (reason !== null) {
    const isCancelled = reason.code === 'CANCELLED'
    return { state: isCancelled ? 'cancelled' : 'failed', result, failure: reason, ...nothingElse }
  }
  if (failed.length === 0) return { state: 'completed', result, failure: null, ...nothingElse }
  const failure = incomplete(
    failed.map((member) => member.database),
    members.length,
  )
  return { state: 'failed', result, failure, ...nothingElse }
}

/** What became of one database; whoever never began when the group was ended counts as cancelled. */
function outcomeOf({ database, operationId, refused }: PlannedMember, members: readonly Operation[]) {
  const member = members.find((candidate) => candidate.id === operationId)
  if (member === undefined) {
    const state = refused === null ? 'cancelled' : 'failed'
    return { database, operationId: null, backupId: null, state, error: refused }
  }
  const { backupId, state, error } = member
  return { database, operationId, backupId, state, error }
}

function incomplete(databases: readonly string[], total: number): Failure {
  const named = databases.slice(0, MOST_NAMED).join(', ')
  const more = databases.length > MOST_NAMED ? ` and ${databases.length - MOST_NAMED} more` : ''
  return toFailure(
    new AppError(
      'GROUP_INCOMPLETE',
      `${databases.length} of ${total} databases have no backup: ${named}${more}`,
      {
        hint: 'the members in the result say why; back up each of them again by its name, or the whole server',
      },
    ),
  )
}

function sizeIn(result: Operation['result']): number {
  return typeof result?.sizeBytes === 'number' ? result.sizeBytes : 0
}
