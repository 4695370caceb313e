import type { Operation, RestoreDestination } from '../domain/operation.ts'
import type { DatabaseDriver } from '../ports/driver.ts'
import type { WorkDeps } from '../ports/work.ts'
import { RESTORE_URL_PURPOSE, TARGET_URL_PURPOSE } from './accept.ts'

type DriverDeps = Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'driverContext'>

/** A driver on a registered target. The opened URL lives only in it. */
export async function driverOfTarget(deps: DriverDeps, target: string): Promise<DatabaseDriver> {
  const url = await targetUrl(deps, target)
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
    name: 'target' in into ? into.target : into.displayUrl,
  }
}

/** What the lock of an operation is keyed by, as well as it can be known at this moment. */
export async function lockKeyOf(
  deps: DriverDeps,
  operation: Pick<Operation, 'request' | 'lockKey'>,
): Promise<string> {
  const { request } = operation
  if (request.type === 'backup') return lockKeyOfUrl(deps, await targetUrl(deps, request.target))
  if (request.type === 'restore') return lockKeyOfUrl(deps, await destinationUrl(deps, request.into))
  return operation.lockKey
}

function lockKeyOfUrl(deps: DriverDeps, url: string): Promise<string> {
  return deps.drivers.forUrl(url).lockKeyOf(url)
}

async function targetUrl(deps: DriverDeps, target: string): Promise<string> {
  return deps.seal.open(await deps.catalog.targets.sealedUrl(target), TARGET_URL_PURPOSE)
}

async function destinationUrl(deps: DriverDeps, into: RestoreDestination): Promise<string> {
  if ('target' in into) return targetUrl(deps, into.target)
  return deps.seal.open(into.sealedUrl, RESTORE_URL_PURPOSE)
}
