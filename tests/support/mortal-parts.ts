import type { Readable } from 'node:stream'
import { PassThrough } from 'node:stream'
import type { DatabaseDriver, DriverFactory, OperationRequest, Storage, WorkDeps } from '@holdfast/core'
import { over } from './over.ts'

/** Every moment of its work that a worker passes, besides those that are only seen from outside. */
export const MOMENTS = {
  backup: [
    'dump-begins',
    'dump-done',
    'storing',
    'stored',
    'before-manifest',
    'after-manifest',
    'before-end',
    'after-end',
  ],
  restore: ['staging', 'staged', 'swap-begins', 'swap-confirmed', 'swap-done', 'before-end', 'after-end'],
  undo: ['undo-begins', 'undo-confirmed', 'undo-done', 'before-end', 'after-end'],
  verify: ['check-begins', 'check-done', 'before-end', 'after-end'],
  retention: ['removal-begins', 'removal-done', 'before-end', 'after-end'],
} as const satisfies Record<OperationRequest['type'], readonly string[]>

type Kind = keyof typeof MOMENTS
export type Moment = (typeof MOMENTS)[Kind][number]

/** What is being done, and on what: the name of the target, or the URL of the database. */
export interface Work {
  readonly kind: Kind
  readonly on: string
}

/** What befalls a worker. */
export interface Fate {
  reach(moment: Moment, work: Work): void
  /** The server begins to work for an operation, until the function is called that this returns. */
  begin(work: Work, operationId: string): () => void
}

/** Puts a fate between a worker and its parts. */
export function mortalParts(deps: WorkDeps, fate: Fate): WorkDeps {
  const { operations } = deps.catalog
  return {
    ...deps,
    catalog: {
      ...deps.catalog,
      operations: {
        ...operations,
        async end(held, end) {
          const { request, target } = await operations.get(held.operationId)
          const work = { kind: request.type, on: target ?? '' }
          fate.reach('before-end', work)
          const next = await operations.end(held, end)
          fate.reach('after-end', work)
          return next
        },
      },
    },
    storages: {
      names: deps.storages.names,
      list: () => deps.storages.list(),
      byName: async (name) => mortalStorage(await deps.storages.byName(name), fate),
    },
    drivers: {
      forUrl: (url) => mortalFactory(deps.drivers.forUrl(url), fate),
      byEngine: (engine) => mortalFactory(deps.drivers.byEngine(engine), fate),
      close: () => deps.drivers.close(),
    },
  }
}

function mortalStorage(storage: Storage, fate: Fate): Storage {
  return over(storage, {
    async put(key, source, signal) {
      const work = { kind: 'backup', on: key.split('/')[0] ?? '' } as const
      const isManifest = key.endsWith('manifest.json')
      if (isManifest) fate.reach('before-manifest', work)
      const content = isManifest ? source : onFirstChunk(source, () => fate.reach('storing', work))
      const result = await storage.put(key, content, signal)
      fate.reach(isManifest ? 'after-manifest' : 'stored', work)
      return result
    },
  })
}

function mortalFactory(factory: DriverFactory, fate: Fate): DriverFactory {
  return over(factory, {
    create: (url, context) => mortalDriver(factory.create(url, context), url, fate),
    async check(request, context, signal) {
      const work = { kind: 'verify', on: request.scratchUrl ?? '' } as const
      fate.reach('check-begins', work)
      const report = await during(fate, work, request, () => factory.check(request, context, signal))
      fate.reach('check-done', work)
      return report
    },
  })
}

function mortalDriver(driver: DatabaseDriver, url: string, fate: Fate): DatabaseDriver {
  const workOf = (kind: Kind): Work => ({ kind, on: url })
  const [restore, undo, retention] = [workOf('restore'), workOf('undo'), workOf('retention')]
  return over(driver, {
    async dump(request, signal) {
      const backup = workOf('backup')
      fate.reach('dump-begins', backup)
      const summary = await during(fate, backup, request, () => driver.dump(request, signal))
      fate.reach('dump-done', backup)
      return summary
    },
    async stage(request, source, signal) {
      const content = onFirstChunk(source, () => fate.reach('staging', restore))
      const ticket = await during(fate, restore, request, () => driver.stage(request, content, signal))
      fate.reach('staged', restore)
      return ticket
    },
    async swap(ticket, confirm, signal) {
      fate.reach('swap-begins', restore)
      const confirmed = async () => {
        await confirm()
        fate.reach('swap-confirmed', restore)
      }
      const result = await driver.swap(ticket, confirmed, signal)
      fate.reach('swap-done', restore)
      return result
    },
    async undo(ticket, confirm, signal) {
      fate.reach('undo-begins', undo)
      const confirmed = async () => {
        await confirm()
        fate.reach('undo-confirmed', undo)
      }
      await driver.undo(ticket, confirmed, signal)
      fate.reach('undo-done', undo)
    },
    async removeReplaced(ticket) {
      fate.reach('removal-begins', retention)
      await driver.removeReplaced(ticket)
      fate.reach('removal-done', retention)
    },
  })
}

async function during<Result>(
  fate: Fate,
  work: Work,
  { operationId }: { readonly operationId: string },
  act: () => Promise<Result>,
): Promise<Result> {
  const end = fate.begin(work, operationId)
  try {
    return await act()
  } finally {
    end()
  }
}

function onFirstChunk(source: Readable, act: () => void): Readable {
  const through = new PassThrough()
  source.on('error', (error) => through.destroy(error))
  through.once('data', act)
  through.pause()
  return source.pipe(through)
}
