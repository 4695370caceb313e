// A worker that kills itself at the moment named by HOLDFAST_TEST_DIE_AT, the hard way: nothing is cleaned up. With
// SIGSTOP as HOLDFAST_TEST_SIGNAL it freezes instead, once, and goes on where it stood when it is woken.
import type { Readable } from 'node:stream'
import { PassThrough } from 'node:stream'
import type { DatabaseDriver, DriverFactory, Storage, WorkDeps } from '@holdfast/core'
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import { over } from './over.ts'

/** Every moment at which it can be told to die. */
export const MOMENTS_OF_A_BACKUP = [
  'dump-begins',
  'dump-done',
  'storing',
  'stored',
  'before-manifest',
  'after-manifest',
  'before-end',
  'after-end',
] as const
export const MOMENTS_OF_A_RESTORE = [
  'staging',
  'staged',
  'swap-begins',
  'swap-confirmed',
  'swap-1ms',
  'swap-5ms',
  'swap-20ms',
  'swap-done',
  'before-end',
  'after-end',
] as const
type Moment = (typeof MOMENTS_OF_A_BACKUP)[number] | (typeof MOMENTS_OF_A_RESTORE)[number]

const moment = process.env.HOLDFAST_TEST_DIE_AT
const signal = process.env.HOLDFAST_TEST_SIGNAL === 'SIGSTOP' ? 'SIGSTOP' : 'SIGKILL'
let isOver = false

if (moment !== undefined) {
  const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
  await compose(loadConfiguration(process.env, process.cwd()), quiet, alter)
}

function dieAt(reached: Moment): void {
  if (moment !== reached || isOver) return
  isOver = true
  process.kill(process.pid, signal)
}

function alter(deps: WorkDeps): WorkDeps {
  const { operations } = deps.catalog
  return {
    ...deps,
    catalog: {
      ...deps.catalog,
      operations: {
        ...operations,
        async end(held, end) {
          dieAt('before-end')
          const next = await operations.end(held, end)
          dieAt('after-end')
          return next
        },
      },
    },
    storages: {
      names: deps.storages.names,
      list: () => deps.storages.list(),
      byName: async (name) => mortalStorage(await deps.storages.byName(name)),
    },
    drivers: {
      forUrl: (url) => mortalFactory(deps.drivers.forUrl(url)),
      byEngine: (engine) => deps.drivers.byEngine(engine),
      close: () => deps.drivers.close(),
    },
  }
}

function mortalStorage(storage: Storage): Storage {
  return over(storage, {
    async put(key, source, signal) {
      const isManifest = key.endsWith('manifest.json')
      if (isManifest) dieAt('before-manifest')
      const result = await storage.put(
        key,
        isManifest ? source : dyingAfterFirstChunk(source, 'storing'),
        signal,
      )
      dieAt(isManifest ? 'after-manifest' : 'stored')
      return result
    },
  })
}

function mortalFactory(factory: DriverFactory): DriverFactory {
  return over(factory, { create: (url, context) => mortalDriver(factory.create(url, context)) })
}

function mortalDriver(driver: DatabaseDriver): DatabaseDriver {
  return over(driver, {
    async dump(request, signal) {
      dieAt('dump-begins')
      const summary = await driver.dump(request, signal)
      dieAt('dump-done')
      return summary
    },
    async stage(request, source, signal) {
      const ticket = await driver.stage(request, dyingAfterFirstChunk(source, 'staging'), signal)
      dieAt('staged')
      return ticket
    },
    async swap(ticket, confirm, signal) {
      dieAt('swap-begins')
      const confirmAndMaybeDie = async () => {
        await confirm()
        dieAt('swap-confirmed')
        const [, delayMs] = /^swap-(\d+)ms$/.exec(moment ?? '') ?? []
        if (delayMs !== undefined) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(delayMs))
      }
      const result = await driver.swap(ticket, confirmAndMaybeDie, signal)
      dieAt('swap-done')
      return result
    },
  })
}

function dyingAfterFirstChunk(source: Readable, reached: Moment): Readable {
  const through = new PassThrough()
  source.on('error', (error) => through.destroy(error))
  through.once('data', () => dieAt(reached))
  through.pause()
  return source.pipe(through)
}
