import type { Target } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { DriverFactory, DriverRegistry } from '../ports/driver-factory.ts'
import type { Seal } from '../ports/seal.ts'

/** Purpose under which the URL of a restore is sealed; opening it needs the same. */
export const RESTORE_URL_PURPOSE = 'restore-url'
/** Purpose under which a target's URL is sealed. */
export const TARGET_URL_PURPOSE = 'target-url'

export interface TargetUrlDeps {
  readonly catalog: Pick<Catalog, 'targets'>
  readonly seal: Seal
  readonly drivers: Pick<DriverRegistry, 'forUrl'>
}

/** The opened URL of a target, or of one database of it if it names a server. */
export async function targetUrl(
  deps: TargetUrlDeps,
  target: string,
  database: string | null,
): Promise<string> {
  const url = deps.seal.open(await deps.catalog.targets.sealedUrl(target), TARGET_URL_PURPOSE)
  return database === null ? url : urlOfDatabase(deps.drivers.forUrl(url), url, database)
}

/** What the lock of a target is keyed by, or of one database of it if it names a server, as far as its URL tells. */
export async function lockKeyOfTarget(
  deps: TargetUrlDeps,
  target: Pick<Target, 'name' | 'lockKey'>,
  database: string | null,
): Promise<string> {
  if (database === null) return target.lockKey
  const url = await targetUrl(deps, target.name, database)
  return deps.drivers.forUrl(url).lockKeyOf(url)
}

/** True if a target names a server with many databases, not one of them. */
export function namesServer(
  { servers }: Pick<DriverFactory, 'servers'>,
  target: Pick<Target, 'displayUrl'>,
): boolean {
  return servers?.isServer(target.displayUrl) === true
}

/** The answer to whoever names a database of a target that is one. */
export function noServer(target: string): AppError {
  return new AppError('INVALID_REQUEST', `${target} names one database, not a server with many`, {
    hint: "leave out 'database'",
  })
}

function urlOfDatabase({ servers }: DriverFactory, url: string, database: string): string {
  if (servers?.isServer(url)) return servers.urlOf(url, database)
  throw noServer('the target')
}
