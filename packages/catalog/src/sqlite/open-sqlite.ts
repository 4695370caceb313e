import type { Catalog, Clock, Logger } from '@holdfast/core'
import { systemClock } from '@holdfast/core/domain'
import { METHODS } from './protocol.ts'
import type { ThreadClient } from './thread-client.ts'
import { startThread } from './thread-client.ts'

/** What opening an SQLite catalog needs. */
export interface OpenSqliteOptions {
  readonly file: string
  readonly clock: Clock
  readonly leaseClock: Clock | null
  readonly logger: Logger | null
  readonly busyTimeoutMs: number
}

/** Opens the file in a thread of its own: SQLite waits for locks and for the disk without giving way. */
export async function openSqliteCatalog(options: OpenSqliteOptions): Promise<Catalog> {
  const { clock, leaseClock } = options
  const thread = await startThread(options.file, options.busyTimeoutMs, options.logger)
  const call = (path: string, args: readonly unknown[]) =>
    thread.call(path, args, {
      // the machine's clock is the same in the thread, and later readings of it are better ones
      nowMs: clock === systemClock ? null : clock.now(),
      leaseNowMs: leaseClock?.now() ?? null,
    })
  return assemble(thread, call)
}

type CallByPath = (path: string, args: readonly unknown[]) => Promise<unknown>

function assemble(thread: ThreadClient, call: CallByPath): Catalog {
  const stores = Object.entries(METHODS).map(([store, methods]) => [
    store,
    Object.fromEntries(
      Object.keys(methods).map((method) => [
        method,
        (...args: unknown[]) => call(`${store}.${method}`, args),
      ]),
    ),
  ])
  const catalog = {
    ...Object.fromEntries(stores),
    id: thread.catalogId,
    stats: () => call('stats', []),
    knowStorage: (name: string, id: string) => call('knowStorage', [name, id]),
    knownStorage: (name: string) => call('knownStorage', [name]),
    ping: () => call('ping', []),
    close: () => thread.close(),
  }
  // METHODS has every method of every store (its type sees to that), and the thread runs the one of that name
  return catalog as Catalog
}
