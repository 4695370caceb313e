import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createManifestSigner, createSeal, openCatalog } from '@holdfast/catalog'
import type {
  Accepted,
  Caller,
  DatabaseDriver,
  JobQueue,
  Operation,
  OperationContext,
  OperationEnd,
  OperationHandler,
  OperationPause,
  OperationType,
  WorkDeps,
} from '@holdfast/core'
import {
  backupHandler,
  createStorageRegistry,
  restoreHandler,
  retentionHandler,
  systemClock,
  toFailure,
  verifyHandler,
} from '@holdfast/core'
import { createDriverRegistry } from '@holdfast/drivers'
import { openStorage } from '@holdfast/storage'
import { over } from './over.ts'

const LEASE_MS = 3_600_000

export const CALLER: Caller = { actor: 'test', idempotencyKey: null, job: null }

/** Nobody takes jobs here. */
const NO_QUEUE: JobQueue = {
  async enqueue() {},
  async promote() {},
  async requestCancel() {},
  async discard() {},
  async ping() {},
}

/** Everything that a worker works with, real, in this process: for what must be done thousands of times. */
export interface Workshop {
  readonly directory: string
  readonly storageRoot: string
  readonly deps: WorkDeps
  readonly handlers: Readonly<Record<OperationType, OperationHandler>>
  /** Does the work of an accepted operation, as a worker does, and returns how it ended. */
  carryOut(accepted: Promise<Accepted>): Promise<Operation>
  /** Makes an operation's database its own and returns what its handler is given, as often as one likes. */
  begin(accepted: Promise<Accepted>): Promise<OperationContext>
  close(): Promise<void>
}

export interface WorkshopOptions {
  readonly scratchDir?: string
  /** Where databases may lie besides the workshop's own directory. */
  readonly roots?: readonly string[]
  /** Puts something of a test around the drivers. */
  readonly aroundDriver?: (driver: DatabaseDriver) => DatabaseDriver
}

/** Groups are not for workshops: nobody carries out their members here. */
export function requireEnd(end: OperationEnd | OperationPause): OperationEnd {
  if (end.state !== 'waiting') return end
  throw new Error('the operation waits for others')
}

export async function openWorkshop(options: WorkshopOptions = {}): Promise<Workshop> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-workshop-')))
  const scratchDir = options.scratchDir ?? join(directory, 'tmp')
  const storageRoot = join(directory, 'storage')
  await mkdir(scratchDir, { recursive: true, mode: 0o700 })
  const masterKeys = [randomBytes(32)]
  const catalog = await openCatalog({ url: `sqlite:${join(directory, 'catalog.db')}`, clock: systemClock })
  const drivers = createDriverRegistry()
  const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
  const { aroundDriver = (driver) => driver, roots = [] } = options
  const deps: WorkDeps = {
    catalog,
    drivers: over(drivers, {
      forUrl(url) {
        const factory = drivers.forUrl(url)
        return over(factory, { create: (...args) => aroundDriver(factory.create(...args)) })
      },
    }),
    storages: createStorageRegistry({
      catalog,
      storages: {
        default: ({ create }) => openStorage(pathToFileURL(storageRoot).href, { name: 'default', create }),
      },
    }),
    driverContext: { pathRoots: [directory, ...roots], scratchDir, now: systemClock.now },
    seal: createSeal(masterKeys),
    signer: createManifestSigner(masterKeys),
    clock: systemClock,
    log: quiet,
    keepReplacedHours: 24,
  }
  const handlers = {
    backup: backupHandler(deps),
    restore: restoreHandler(deps),
    verify: verifyHandler(deps),
    retention: retentionHandler(deps),
  }
  const begin: Workshop['begin'] = async (accepted) => {
    const { operation } = await accepted
    const token = randomUUID()
    const acquired = await catalog.operations.acquire({ operationId: operation.id, token, leaseMs: LEASE_MS })
    if (!acquired.granted) throw new Error(`the database of ${operation.id} is not free`)
    const { signal } = new AbortController()
    return { ...acquired, signal, report() {}, queue: NO_QUEUE, events: { async publish() {} } }
  }
  return {
    ...{ directory, storageRoot, deps, handlers, begin },
    async carryOut(accepted) {
      const context = await begin(accepted)
      const { type, id } = context.operation
      const end = await handlers[type]
        .run(context)
        .catch((error: unknown) => handlers[type].settle(context, toFailure(error)))
      await catalog.operations.end(context.held, requireEnd(end))
      return catalog.operations.get(id)
    },
    async close() {
      await drivers.close()
      await catalog.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
