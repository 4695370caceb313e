import type { Logger } from '@holdfast/core'
import { CatalogThread, threadGone } from './catalog-thread.ts'
import type { Call, ThreadOptions } from './protocol.ts'

/** The calling side of the catalog's thread. If the thread ended, the next call starts another one. */
export interface ThreadClient {
  readonly catalogId: string
  call(path: string, args: readonly unknown[], clocks: Pick<Call, 'nowMs' | 'leaseNowMs'>): Promise<unknown>
  close(): Promise<void>
}

/** Starts the thread and waits until the catalog is open. */
export async function startThread(
  file: string,
  waitMs: number,
  logger: Logger | null,
): Promise<ThreadClient> {
  const start = (expectedId: string | null) => {
    const options: ThreadOptions = { file, expectedId, waitMs }
    return new CatalogThread(options, logger)
  }
  let thread = start(null)
  let isClosed = false
  const catalogId = await thread.opened
  return {
    catalogId,
    async call(path, args, clocks) {
      if (isClosed) throw threadGone('the catalog has been closed')
      if (thread.hasEnded) thread = start(catalogId)
      return await thread.call(path, args, clocks)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await thread.close()
    },
  }
}
