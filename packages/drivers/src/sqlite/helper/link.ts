import { performance } from 'node:perf_hooks'
import type { FromHelper } from '../protocol.ts'

const PROGRESS_INTERVAL_MS = 200

/** What a job may tell its driver while it works, and ask of it. */
export interface JobLink {
  /** The file could be opened: from now on work takes as long as it takes. */
  opened(): void
  progress(bytes: number, totalBytes: number): void
  /** Resolves when the caller allows the change; rejects if not. */
  confirm(): Promise<void>
  sinceStartMs(): number
}

/** A caller's refusal to go on; its own error stays with it. */
export class Refused extends Error {}

/** The link of one job; `awaitAnswer` yields the driver's next answer to a question. */
export function createLink(
  send: (message: FromHelper) => void,
  awaitAnswer: () => Promise<'confirmed' | 'refused'>,
): JobLink {
  const startedAt = performance.now()
  let reportedAt = Number.NEGATIVE_INFINITY
  return {
    opened: () => send({ type: 'opened' }),
    progress(bytes, totalBytes) {
      const now = performance.now()
      if (bytes < totalBytes && now - reportedAt < PROGRESS_INTERVAL_MS) return
      reportedAt = now
      send({ type: 'progress', bytes, totalBytes })
    },
    async confirm() {
      const answer = awaitAnswer()
      send({ type: 'confirm' })
      if ((await answer) === 'refused') throw new Refused('the caller refused')
    },
    sinceStartMs: () => performance.now() - startedAt,
  }
}
