import { mkdir, realpath } from 'node:fs/promises'
import { createManifestSigner, createSeal, loadOrCreateMasterKey, openCatalog } from '@holdfast/catalog'
import type { Configuration, Logger, WorkDeps } from '@holdfast/core'
import {
  backupHandler,
  createStorageRegistry,
  lockKeyOf,
  restoreHandler,
  retentionHandler,
  sweep,
  systemClock,
  verifyHandler,
} from '@holdfast/core'
import { createDriverRegistry, supportedEngines } from '@holdfast/drivers'
import { startOperationWorkers } from '@holdfast/queue'
import { openStorage } from '@holdfast/storage'

/** A worker that has lost its lease may still be writing for a while: nothing younger than this many is swept. */
const LEASES_OF_GRACE = 3

/** A running worker process. */
export interface RunningWorker {
  isHealthy(): boolean
  running(): number
  /** Hands back what is not done after `graceMs`, then closes everything, last first. */
  close(options: { readonly graceMs: number }): Promise<void>
}

/**
 * The parts list: every part, in the order in which they need one another. `alter` lets a test put something of its
 * own around a part.
 */
export async function compose(
  configuration: Configuration,
  log: Logger,
  alter: (deps: WorkDeps) => WorkDeps = (deps) => deps,
): Promise<RunningWorker> {
  const { dataDir, scratchDir, leaseMs, redisUrl, concurrency, queues } = configuration
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await mkdir(scratchDir, { recursive: true, mode: 0o700 })
  const masterKeys = configuration.masterKeys ?? [await loadOrCreateMasterKey(configuration.masterKeyFile)]
  const clock = systemClock
  const catalog = await openCatalog({ url: configuration.catalogUrl, clock, logger: log })
  const drivers = createDriverRegistry(supportedEngines(configuration))
  const deps = alter({
    catalog,
    storages: createStorageRegistry({
      catalog,
      storages: {
        default: ({ create }) => openStorage(configuration.storageUrl, { name: 'default', create }),
      },
    }),
    drivers,
    driverContext: { pathRoots: await resolved(configuration.pathRoots), scratchDir, now: clock.now },
    seal: createSeal(masterKeys),
    signer: createManifestSigner(masterKeys),
    clock,
    log,
    keepReplacedHours: configuration.keepReplacedHours,
  })
  const workers = await startOperationWorkers({
    ...{ redisUrl, concurrency, queues, leaseMs, clock, log },
    catalog: deps.catalog,
    accept: deps,
    handlers: {
      backup: backupHandler(deps),
      restore: restoreHandler(deps),
      verify: verifyHandler(deps),
      retention: retentionHandler(deps),
    },
    lockKeyOf: (operation) => lockKeyOf(deps, operation),
    sweep: (signal) => sweep(deps, { knownMs: leaseMs * LEASES_OF_GRACE }, signal),
  })
  return {
    isHealthy: () => workers.isHealthy(),
    running: () => workers.running(),
    async close(options) {
      await workers.close(options)
      await drivers.close()
      await catalog.close()
    },
  }
}

/** Links followed; a directory that is not there yet stays as it is written. */
function resolved(roots: readonly string[]): Promise<readonly string[]> {
  return Promise.all(roots.map((root) => realpath(root).catch(() => root)))
}
