import { isFinished } from '../domain/operation.ts'
import type { Target } from '../domain/target.ts'
import { AppError, hasCode, throwIfAborted } from '../errors.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { DriverContext } from '../ports/driver.ts'
import type { Logger } from '../ports/logger.ts'
import type { TargetUrlDeps } from './target-url.ts'
import { targetUrl } from './target-url.ts'

/** Servers that are asked at the same time: most of the time is spent waiting for those that do not answer. */
const AT_ONCE = 4
/** Of one server. What is not done by then is done by the next sweep. */
const WITHIN_MS = 120_000
const PAGE = 200
/** Stands for any database in a URL: with it the URLs of all databases of a server are one. */
const ANY_DATABASE = 'any'

export interface ServerSweepDeps extends TargetUrlDeps {
  readonly catalog: Pick<Catalog, 'targets' | 'operations'>
  readonly driverContext: DriverContext
  readonly log: Logger
}

/** A server as one target reaches it. */
interface Place {
  readonly target: string
  readonly url: string
}

/**
 * Removes what restores and drills that are over have left on the servers of targets, and tells it as a warning: their
 * own tidying up should have. Asks each server once, whatever the number of its databases. One that cannot be asked is
 * skipped, with a word in the log. Returns how many leftovers were removed.
 */
export async function sweepServers(
  deps: ServerSweepDeps,
  signal: AbortSignal,
  withinMs = WITHIN_MS,
): Promise<number> {
  const waiting = await listPlaces(deps, signal)
  let removed = 0
  const work = Array.from({ length: AT_ONCE }, async () => {
    for (let place = waiting.shift(); place !== undefined; place = waiting.shift()) {
      throwIfAborted(signal)
      // not in one expression: it would add to what was there before the wait
      const found = await sweepServer(deps, place, AbortSignal.any([signal, AbortSignal.timeout(withinMs)]))
      removed += found
    }
  })
  await Promise.all(work)
  throwIfAborted(signal)
  return removed
}

async function sweepServer(
  deps: ServerSweepDeps,
  { target, url }: Place,
  signal: AbortSignal,
): Promise<number> {
  const { drivers, driverContext, log } = deps
  try {
    const driver = drivers.forUrl(url).create(url, driverContext)
    const leftovers = await driver.removeLeftovers((id) => isKnownToBeOver(deps, id), signal)
    if (leftovers.length > 0)
      log.warn({ target, leftovers }, 'removed what an operation had left on a server')
    return leftovers.length
  } catch (err) {
    log.warn({ err, target }, 'the server of a target could not be searched for leftovers')
    return 0
  }
}

/** One target for each server and user: another user may not be allowed to remove what this one has left. */
async function listPlaces(deps: ServerSweepDeps, signal: AbortSignal): Promise<Place[]> {
  const places = new Map<string, Place>()
  for await (const { name } of listTargets(deps)) {
    throwIfAborted(signal)
    const found = await placeOf(deps, name)
    if (found !== null && !places.has(found.key)) places.set(found.key, { target: name, url: found.url })
  }
  return [...places.values()]
}

/** Null for engines without servers, and for targets whose URL cannot be opened, which every use of them tells. */
async function placeOf(
  deps: ServerSweepDeps,
  target: string,
): Promise<{ readonly key: string; readonly url: string } | null> {
  try {
    const url = await targetUrl(deps, target, null)
    const factory = deps.drivers.forUrl(url)
    if (factory.servers === null) return null
    return { key: factory.displayUrl(factory.servers.urlOf(url, ANY_DATABASE)), url }
  } catch (error) {
    if (error instanceof AppError && !error.retryable) return null
    throw error
  }
}

async function* listTargets({ catalog }: ServerSweepDeps): AsyncIterable<Target> {
  let cursor: string | null = null
  do {
    const page = await catalog.targets.list({}, { limit: PAGE, cursor })
    yield* page.items
    cursor = page.nextCursor
  } while (cursor !== null)
}

/** Unknown operations may be those of another installation, which works on the same server. */
async function isKnownToBeOver({ catalog }: ServerSweepDeps, operationId: string): Promise<boolean> {
  try {
    return isFinished(await catalog.operations.get(operationId))
  } catch (error) {
    if (hasCode(error, 'OPERATION_NOT_FOUND')) return false
    throw error
  }
}
