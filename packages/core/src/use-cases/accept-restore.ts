import type { RestoreBody } from '../contract/requests.ts'
import type { Backup } from '../domain/backup.ts'
import type { Operation, RestoreDestination } from '../domain/operation.ts'
import type { Target } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { AcceptDeps, Accepted, Caller } from './record-request.ts'
import { recordRequest } from './record-request.ts'
import { lockKeyOfTarget, namesServer, noServer, RESTORE_URL_PURPOSE } from './target-url.ts'

/** Records a restore of a backup into a registered target or, sealed, into a URL. A dry run unless told otherwise. */
export async function acceptRestore(
  deps: AcceptDeps,
  backupIdOrName: string,
  body: RestoreBody,
  caller: Caller,
): Promise<Accepted> {
  const backup = await deps.catalog.backups.get(backupIdOrName)
  const { into, lockKey } = await destinationOf(deps, body.into, backup)
  const request = {
    type: 'restore',
    backupId: backup.id,
    into,
    dryRun: body.dryRun ?? true,
    confirm: body.confirm ?? null,
    overwrite: body.overwrite ?? false,
    keepOwners: body.keepOwners ?? true,
    definer: definerOf(deps, body, backup),
    filesInto: body.filesInto ?? null,
  } as const
  const target = 'target' in into ? into.target : null
  const place = 'target' in into ? into : { displayUrl: into.displayUrl }
  // sealing is randomised, so equality is judged by the place alone
  const equalTo = { ...request, into: place, lockKey }
  return recordRequest(deps, caller, {
    type: 'restore',
    request,
    target,
    lockKey,
    backupId: backup.id,
    equalTo,
  })
}

/** What an engine cannot do is refused when it is asked for, not when the database is restored. */
function definerOf(
  { drivers }: Pick<AcceptDeps, 'drivers'>,
  { definer, keepOwners }: RestoreBody,
  { engine }: Pick<Backup, 'engine'>,
): string | null {
  if (definer === undefined) return null
  if (!drivers.byEngine(engine).supports.definers) {
    throw new AppError('INVALID_REQUEST', `restores of ${engine} do not know 'definer'`, {
      hint: 'leave it out: only views and routines of MySQL and MariaDB have definers',
    })
  }
  if (keepOwners !== false) return definer
  throw new AppError('INVALID_REQUEST', "'definer' and 'keepOwners': false contradict each other", {
    hint: "with 'keepOwners': false whoever restores becomes the definer; leave out one of the two",
  })
}

/** Records the undoing of a finished restore. Rejects with UNDO_NOT_POSSIBLE when nothing is kept any more. */
export async function acceptUndo(deps: AcceptDeps, operationId: string, caller: Caller): Promise<Accepted> {
  const restore = await deps.catalog.operations.get(operationId)
  if (restore.type !== 'restore') {
    throw new AppError('UNDO_NOT_POSSIBLE', 'only a restore can be undone')
  }
  await deps.catalog.replaced.get(operationId)
  await requireNewest(deps, restore)
  const request = { type: 'undo', restoreId: restore.id } as const
  const { target, lockKey } = restore
  return recordRequest(deps, caller, {
    type: 'restore',
    request,
    target,
    lockKey,
    backupId: null,
    equalTo: request,
  })
}

/** Undoing an older restore would silently drop the result of a newer one, and what that had kept would fit nothing. */
async function requireNewest(deps: AcceptDeps, restore: Operation): Promise<void> {
  for (const { operationId } of await deps.catalog.replaced.list()) {
    const other = await deps.catalog.operations.get(operationId)
    if (other.lockKey !== restore.lockKey || other.seq <= restore.seq) continue
    throw new AppError('UNDO_NOT_POSSIBLE', `a later restore replaced the result of this one`, {
      hint: `undo the later restore first: ${operationId}`,
    })
  }
}

interface Place {
  readonly into: RestoreDestination
  readonly lockKey: string
}

async function destinationOf(deps: AcceptDeps, into: RestoreBody['into'], backup: Backup): Promise<Place> {
  if ('target' in into) {
    const target = await deps.catalog.targets.get(into.target)
    const database = databaseIn(deps, target, into.database ?? null, backup)
    return {
      into: { target: target.name, database },
      lockKey: await lockKeyOfTarget(deps, target, database),
    }
  }
  const factory = deps.drivers.forUrl(into.url)
  if (factory.servers?.isServer(into.url)) {
    throw new AppError('INVALID_REQUEST', 'the URL names a server, not a database of it', {
      hint: 'end the path of the URL with the name of the database that is to receive the backup',
    })
  }
  const displayUrl = factory.displayUrl(into.url)
  const sealedUrl = deps.seal.seal(into.url, RESTORE_URL_PURPOSE)
  return { into: { sealedUrl, displayUrl }, lockKey: await factory.lockKeyOf(into.url) }
}

/** On a server a backup goes back under the name that its database had, unless another one is asked for. */
function databaseIn(deps: AcceptDeps, target: Target, asked: string | null, backup: Backup): string | null {
  if (!namesServer(deps.drivers.byEngine(target.engine), target)) {
    if (asked === null) return null
    throw noServer(`target ${target.name}`)
  }
  const database = asked ?? backup.database
  if (database !== null) return database
  throw new AppError('INVALID_REQUEST', `target ${target.name} names a server, not a database of it`, {
    hint: "name the database that is to receive the backup with 'database'",
  })
}
