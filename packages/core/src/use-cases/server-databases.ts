import type { WorkDeps } from '../ports/work.ts'
import { noServer, targetUrl } from './target-url.ts'

/** The databases that a target's server has at this moment. Rejects with INVALID_REQUEST if it names one database. */
export async function databasesOfTarget(
  deps: Pick<WorkDeps, 'catalog' | 'seal' | 'drivers' | 'driverContext'>,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const url = await targetUrl(deps, name, null)
  const { servers } = deps.drivers.forUrl(url)
  if (servers?.isServer(url)) return servers.databases(url, deps.driverContext, signal)
  throw noServer(`target ${name}`)
}
