import type { RestoreDestination } from '../domain/operation.ts'
import type { DatabaseDriver, DriverFactory } from '../ports/driver.ts'
import type { WorkDeps } from '../ports/work.ts'
import { RESTORE_URL_PURPOSE, TARGET_URL_PURPOSE } from './accept.ts'

type DriverDeps = Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'driverContext'>

/** A driver on a registered target. The opened URL lives only in it. */
export async function driverOfTarget(deps: DriverDeps, target: string): Promise<DatabaseDriver> {
  const url = deps.seal.open(await deps.catalog.targets.sealedUrl(target), TARGET_URL_PURPOSE)
  return deps.drivers.forUrl(url).create(url, deps.driverContext)
}

/** A driver where a restore goes, and the URL sealed for later (undo, removal of what was replaced). */
export async function driverOfDestination(
  deps: DriverDeps,
  into: RestoreDestination,
): Promise<{ readonly driver: DatabaseDriver; readonly sealedUrl: string; readonly name: string }> {
  const url =
    'target' in into
      ? deps.seal.open(await deps.catalog.targets.sealedUrl(into.target), TARGET_URL_PURPOSE)
      : deps.seal.open(into.sealedUrl, RESTORE_URL_PURPOSE)
  const factory: DriverFactory = deps.drivers.forUrl(url)
  return {
    driver: factory.create(url, deps.driverContext),
    sealedUrl: deps.seal.seal(url, RESTORE_URL_PURPOSE),
    name: 'target' in into ? into.target : into.displayUrl,
  }
}
