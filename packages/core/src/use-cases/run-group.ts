import type { BackupRequest, Operation } from '../domain/operation.ts'
import { selectNames } from '../domain/select-names.ts'
import { uuidv7 } from '../domain/uuid.ts'
import type { Failure } from '../errors.ts'
import { AppError, hasCode, toFailure } from '../errors.ts'
import type { OperationEnd } from '../ports/catalog.ts'
import type { OperationContext, OperationHandler, OperationPause } from '../ports/handler.ts'
import type { WorkDeps } from '../ports/work.ts'
import { acceptMember } from './accept.ts'
import { cancelOperation } from './cancel-operation.ts'
import type { GroupJournal, PlannedMember } from './group-journal.ts'
import { readGroupJournal, writeGroupJournal } from './group-journal.ts'
import type { GroupState } from './group-progress.ts'
import { endOf, finishedCount, pauseOf, unbegunOf, unfinishedOf } from './group-progress.ts'
import { databasesOfTarget } from './server-databases.ts'

/** Databases of one server that are backed up at the same time, unless its target says otherwise. */
const PARALLEL_DATABASES = 2
/** So often a group that its workers did not survive is gone on with. */
const MOST_ATTEMPTS = 10

/**
 * Backs up all databases of a server, each as an ordinary backup that is a member of the group. The group itself does
 * next to nothing: it finds out which databases there are, sees to it that some are always on their way, and adds up
 * what became of them. In between it holds nothing and no worker waits for it.
 */
export function groupHandler(deps: WorkDeps): OperationHandler {
  return {
    async run(context) {
      const journal = readGroupJournal(context.operation) ?? (await discover(deps, context))
      return goOn(deps, journal, context)
    },

    async settle(context, failure) {
      // it may have been written by this very attempt
      const current = await deps.catalog.operations.get(context.operation.id)
      const journal = readGroupJournal(current)
      if (journal === null) return endOf({ journal: NOTHING, members: [] }, failure)
      const isOver = failure.code === 'CANCELLED' || current.attempts > MOST_ATTEMPTS
      return isOver ? breakOff(deps, journal, context, failure) : goOn(deps, journal, context)
    },

    async isDue(operation) {
      const journal = readGroupJournal(operation)
      if (journal === null) return true
      const state = { journal, members: await deps.catalog.operations.listMembers(operation.id) }
      const unfinished = unfinishedOf(state)
      if (operation.cancelRequested) {
        return unfinished.length === 0 || unfinished.some((member) => !member.cancelRequested)
      }
      if (operation.progress.objects !== finishedCount(state)) return true
      const room = (await parallelDatabases(deps, operation)) - unfinished.length
      return unbegunOf(state).length > 0 ? room > 0 : unfinished.length === 0
    },
  }
}

const NOTHING: GroupJournal = { members: [], warnings: [] }

/** Which databases there are is decided once, and on record before anything is done about it. */
async function discover(deps: WorkDeps, context: OperationContext): Promise<GroupJournal> {
  const { target: name } = groupRequestOf(context.operation)
  context.report('discovering', { bytes: 0 })
  const target = await deps.catalog.targets.get(name)
  const { names, unmatched } = selectNames(
    await databasesOfTarget(deps, name, context.signal),
    target.options.databases,
  )
  if (names.length === 0) {
    throw new AppError('DATABASE_NOT_FOUND', `no database of target ${name} is to be backed up`, {
      hint: "compare 'databases' in the options of the target with what its server has: check the target",
    })
  }
  const journal: GroupJournal = {
    members: names.map((database) => ({
      database,
      operationId: uuidv7(deps.clock.now()),
      refused: null,
    })),
    warnings: unmatched.map((pattern) => `no database matches ${pattern}`),
  }
  await deps.catalog.operations.setJournal(context.held, writeGroupJournal(journal))
  return journal
}

async function goOn(
  deps: WorkDeps,
  journal: GroupJournal,
  context: OperationContext,
): Promise<OperationEnd | OperationPause> {
  const { id } = context.operation
  const before = { journal, members: await deps.catalog.operations.listMembers(id) }
  try {
    const state = await topUp(deps, before, context)
    const pause = pauseOf(state)
    if (!isOver(state)) return pause
    context.report(pause.phase, pause.progress)
    return endOf(state, null)
  } catch (error) {
    // the catalog is away for a moment, say: what is under way goes on without us
    if (error instanceof AppError && (error.retryable || error.code === 'OPERATION_FINISHED')) {
      return pauseOf(before)
    }
    throw error
  }
}

function isOver(state: GroupState): boolean {
  return unfinishedOf(state).length === 0 && unbegunOf(state).length === 0
}

/** Accepts members until as many are on their way as may be. */
async function topUp(deps: WorkDeps, before: GroupState, context: OperationContext): Promise<GroupState> {
  const mostUnfinished = await parallelDatabases(deps, context.operation)
  let state = before
  for (const planned of unbegunOf(before)) {
    if (unfinishedOf(state).length >= mostUnfinished) break
    state = await begin(deps, state, planned, context)
  }
  return state
}

async function begin(
  deps: WorkDeps,
  state: GroupState,
  planned: PlannedMember,
  context: OperationContext,
): Promise<GroupState> {
  const { operation, held, queue } = context
  const { operationId } = planned
  try {
    const request = requestOf(operation, planned, state)
    const accepted = await acceptMember(deps, { group: operation, operationId, request })
    await queue
      .enqueue(accepted.operation)
      .catch((error) => deps.log.warn({ err: error, operationId }, 'enqueue left to reconciling'))
    return { ...state, members: [...state.members, accepted.operation] }
  } catch (error) {
    const isItsOwn = error instanceof AppError && !error.retryable && !NOT_ITS_OWN.includes(error.code)
    if (!isItsOwn) throw error
    const journal = refuse(state.journal, planned, toFailure(error))
    await deps.catalog.operations.setJournal(held, writeGroupJournal(journal))
    return { ...state, journal }
  }
}

/** They say something about the group, not about the database that was to be its next member. */
const NOT_ITS_OWN: readonly string[] = ['FENCE_LOST', 'OPERATION_FINISHED']

function refuse(journal: GroupJournal, planned: PlannedMember, refused: Failure): GroupJournal {
  const members = journal.members.map((member) =>
    member.operationId === planned.operationId ? { ...member, refused } : member,
  )
  return { ...journal, members }
}

/** As the group was asked for. What belongs to the whole server goes with one member, while that one has not failed. */
function requestOf(group: Operation, { database }: PlannedMember, { members }: GroupState): BackupRequest {
  const asked = { ...groupRequestOf(group), database, groupId: group.id }
  const isCarried = members.some(
    ({ request, state }) => carriesAll(asked, request) && state !== 'failed' && state !== 'cancelled',
  )
  return isCarried ? { ...asked, globals: 'none', include: [] } : asked
}

function carriesAll(asked: BackupRequest, request: Operation['request']): boolean {
  if (request.type !== 'backup') return false
  return request.globals === asked.globals && request.include.length === asked.include.length
}

/** Ends a group before its time: nothing new is begun, and what is under way is cancelled and waited for. */
async function breakOff(
  deps: WorkDeps,
  journal: GroupJournal,
  context: OperationContext,
  failure: Failure,
): Promise<OperationEnd | OperationPause> {
  const { operations } = deps.catalog
  await operations.confirm(context.held)
  for (const member of unfinishedOf({ members: await operations.listMembers(context.operation.id) })) {
    if (member.cancelRequested) continue
    await cancelOperation({ ...deps, queue: context.queue, events: context.events }, member.id).catch(
      (error) => {
        if (!hasCode(error, 'OPERATION_FINISHED')) throw error
      },
    )
  }
  const state = { journal, members: await operations.listMembers(context.operation.id) }
  return unfinishedOf(state).length === 0 ? endOf(state, failure) : pauseOf(state)
}

async function parallelDatabases(
  { catalog }: Pick<WorkDeps, 'catalog'>,
  operation: Operation,
): Promise<number> {
  const { options } = await catalog.targets.get(groupRequestOf(operation).target)
  return options.parallelDatabases ?? PARALLEL_DATABASES
}

function groupRequestOf({ request }: Operation): BackupRequest {
  if (request.type === 'backup') return request
  throw new AppError('INVALID_REQUEST', `a group cannot carry out a ${request.type}`)
}
