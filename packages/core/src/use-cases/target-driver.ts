import type { Backup } from '../domain/backup.ts'
import type { Operation, RestoreDestination } from '../domain/operation.ts'
import type { Target } from '../domain/target.ts'
import { AppError, hasCode } from '../errors.ts'
import type { DatabaseDriver } from '../ports/driver.ts'
import type { WorkDeps } from '../ports/work.ts'
import { RESTORE_URL_PURPOSE, targetUrl } from './target-url.ts'

type DriverDeps = Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'driverContext'>

/** A driver on a registered target, or on one database of it if it names a server. The opened URL lives only in it. */
export async function driverOfTarget(
  deps: DriverDeps,
  target: string,
  database: string | null = null,
): Promise<DatabaseDriver> {
  const url = await targetUrl(deps, target, database)
  return deps.drivers.forUrl(url).create(url, deps.driverContext)
}

/** A driver where a restore goes, and the URL sealed for later (undo, removal of what was replaced). */
export async function driverOfDestination(
  deps: DriverDeps,
  into: RestoreDestination,
): Promise<{ readonly driver: DatabaseDriver; readonly sealedUrl: string; readonly name: string }> {
  const url = await destinationUrl(deps, into)
  return {
    driver: deps.drivers.forUrl(url).create(url, deps.driverContext),
    sealedUrl: deps.seal.seal(url, RESTORE_URL_PURPOSE),
    name: 'target' in into ? (into.database ?? into.target) : into.displayUrl,
  }
}

/** True if a restore goes to where its backup comes from: of a server, to the same database of it. */
export function isOwnPlace(into: RestoreDestination, backup: Pick<Backup, 'target' | 'database'>): boolean {
  // requests recorded by the first release do not have a database
  return 'target' in into && into.target === backup.target && (into.database ?? null) === backup.database
}

/** What the lock of an operation is keyed by, as well as it can be known at this moment. */
export async function lockKeyOf(
  deps: DriverDeps,
  operation: Pick<Operation, 'request' | 'lockKey'>,
): Promise<string> {
  const { request } = operation
  if (request.type === 'backup')
    return lockKeyOfUrl(deps, await targetUrl(deps, request.target, request.database))
  if (request.type === 'restore') return lockKeyOfUrl(deps, await destinationUrl(deps, request.into))
  return operation.lockKey
}

function lockKeyOfUrl(deps: DriverDeps, url: string): Promise<string> {
  return deps.drivers.forUrl(url).lockKeyOf(url)
}

/** Where a drill of this backup may make a scratch database; null if its target is gone and names no other. */
export async function scratchUrlOf(
  deps: DriverDeps,
  { target, engine }: Pick<Backup, 'target' | 'engine'>,
): Promise<string | null> {
  const found = await findTarget(deps, target)
  if (found === null) return null
  const place = found.options.drillOn ?? target
  const there = place === target ? found : await findTarget(deps, place)
  const hint = `change 'drillOn' in the options of target ${target}`
  if (there === null) {
    throw new AppError('TARGET_NOT_FOUND', `target ${place}, which drills backups of ${target}, is gone`, {
      hint,
    })
  }
  if (there.engine === engine) return targetUrl(deps, place, null)
  const problem = `target ${place} is ${there.engine} and cannot drill a backup of ${engine}`
  throw new AppError('INVALID_REQUEST', problem, { hint })
}

async function findTarget(deps: DriverDeps, name: string): Promise<Target | null> {
  try {
    return await deps.catalog.targets.get(name)
  } catch (error) {
    if (hasCode(error, 'TARGET_NOT_FOUND')) return null
    throw error
  }
}

async function destinationUrl(deps: DriverDeps, into: RestoreDestination): Promise<string> {
  if ('target' in into) return targetUrl(deps, into.target, into.database ?? null)
  return deps.seal.open(into.sealedUrl, RESTORE_URL_PURPOSE)
}
