// A worker that takes its time in the middle of storing and of staging, so that tests can meet it there.
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseDriver, DriverFactory, Storage, WorkDeps } from '@holdfast/core'
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import { over } from './over.ts'

const SLOW_MS = Number(process.env.HOLDFAST_TEST_SLOW_MS)
const GRACE_MS = 500

const log = {
  debug() {},
  info: (fields: object, message: string) => print(message, fields),
  warn: (fields: object, message: string) => print(message, fields),
  error: (fields: object, message: string) => print(message, fields),
}
const worker = await compose(loadConfiguration(process.env, process.cwd()), log, alter)
process.on('SIGTERM', () => void worker.close({ graceMs: GRACE_MS }).then(() => process.exit(0)))

function alter(deps: WorkDeps): WorkDeps {
  return {
    ...deps,
    storages: {
      names: deps.storages.names,
      list: () => deps.storages.list(),
      byName: async (name) => slowStorage(await deps.storages.byName(name)),
    },
    drivers: over(deps.drivers, { forUrl: (url) => slowFactory(deps.drivers.forUrl(url)) }),
  }
}

function slowStorage(storage: Storage): Storage {
  return over(storage, {
    put: (key, source, signal) =>
      storage.put(key, key.endsWith('manifest.json') ? source : slowly(source, signal), signal),
  })
}

function slowFactory(factory: DriverFactory): DriverFactory {
  return over(factory, { create: (url, context) => slowDriver(factory.create(url, context)) })
}

function slowDriver(driver: DatabaseDriver): DatabaseDriver {
  return over(driver, {
    stage: (request, source, signal) => driver.stage(request, slowly(source, signal), signal),
  })
}

/** The same bytes, with a pause after the first of them. */
function slowly(source: Readable, signal: AbortSignal): Readable {
  async function* paused() {
    let isFirst = true
    for await (const chunk of source) {
      yield chunk
      if (isFirst) await sleep(SLOW_MS, undefined, { signal })
      isFirst = false
    }
  }
  return Readable.from(paused(), { objectMode: false })
}

function print(message: string, fields: object): void {
  process.stdout.write(
    `${message} ${JSON.stringify(fields, (_key, value) => (value instanceof Error ? String(value.stack) : value))}\n`,
  )
}
