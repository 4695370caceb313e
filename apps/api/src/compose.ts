import { mkdir, realpath } from 'node:fs/promises'
import { createManifestSigner, createSeal, loadOrCreateMasterKey, openCatalog } from '@holdfast/catalog'
import type { Configuration } from '@holdfast/core'
import { createStorageRegistry, systemClock } from '@holdfast/core'
import { createDriverRegistry, supportedEngines } from '@holdfast/drivers'
import {
  claimRedis,
  connectRedis,
  countWorkers,
  createJobQueue,
  createOperationEvents,
  watchOperationEvents,
} from '@holdfast/queue'
import { openStorage } from '@holdfast/storage'
import type { FastifyBaseLogger } from 'fastify'
import packageJson from '../package.json' with { type: 'json' }
import type { ApiDeps } from './app.ts'

/** Leaves time to say 503 within three seconds. */
const CATALOG_BUSY_MS = 2_000

/** The parts of the API process. */
export interface Parts {
  readonly deps: ApiDeps
  /** Closes what was opened, last first. */
  close(): Promise<void>
}

/** The parts list: every part, in the order in which they need one another. Redis may be away, the catalog not. */
export async function compose(configuration: Configuration, log: FastifyBaseLogger): Promise<Parts> {
  const { dataDir, scratchDir, redisUrl, masterKeyFile } = configuration
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await mkdir(scratchDir, { recursive: true, mode: 0o700 })
  const masterKeys = configuration.masterKeys ?? [await loadOrCreateMasterKey(masterKeyFile)]
  const clock = systemClock
  const catalog = await openCatalog({
    url: configuration.catalogUrl,
    clock,
    logger: log,
    busyTimeoutMs: CATALOG_BUSY_MS,
  })
  const redis = connectRedis(redisUrl, 'producer', log)
  const queue = createJobQueue({ redisUrl, log })
  const watch = watchOperationEvents({ redisUrl, log })
  const drivers = createDriverRegistry(supportedEngines(configuration))
  const storages = createStorageRegistry({
    catalog,
    storages: { default: ({ create }) => openStorage(configuration.storageUrl, { name: 'default', create }) },
  })
  return {
    deps: {
      catalog,
      storages,
      drivers,
      driverContext: { pathRoots: await resolved(configuration.pathRoots), scratchDir, now: clock.now },
      seal: createSeal(masterKeys),
      signer: createManifestSigner(masterKeys),
      clock,
      log,
      // a Redis of another catalog would carry our jobs to workers that refuse them
      queue: { ...queue, ping: () => claimRedis(redis, catalog.id) },
      events: createOperationEvents(redis),
      workers: { count: () => countWorkers(redis) },
      watch,
      apiKey: configuration.apiKey,
      rateLimitPerMinute: configuration.rateLimitPerMinute,
      version: packageJson.version,
      processMetrics: true,
    },
    async close() {
      await Promise.allSettled([watch.close(), queue.close(), drivers.close()])
      redis.disconnect()
      await catalog.close()
    },
  }
}

/** Links followed; a directory that is not there yet stays as it is written. */
function resolved(roots: readonly string[]): Promise<readonly string[]> {
  return Promise.all(roots.map((root) => realpath(root).catch(() => root)))
}
