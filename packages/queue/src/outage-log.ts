import type { Logger } from '@holdfast/core'

/** Says once that something has gone, and once that it is back. */
export interface OutageLog {
  failed(reason: string): void
  worked(): void
}

/** One outage is one line at its begin and one at its end, however often it is noticed in between. */
export function createOutageLog(log: Logger, what: string): OutageLog {
  let isOut = false
  return {
    failed(reason) {
      if (!isOut) log.warn({ what, reason }, 'lost, will keep trying')
      isOut = true
    },
    worked() {
      if (isOut) log.info({ what }, 'back again')
      isOut = false
    },
  }
}
