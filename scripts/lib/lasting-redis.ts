import { setTimeout as sleep } from 'node:timers/promises'
import { toFailure } from '@holdfast/core'
import { startPrivateRedis } from '@holdfast/queue/private-redis'

const RESTART_PAUSE_MS = 200
const RESTART_ATTEMPTS = 5

/** A private Redis that is started again, with the same address, data and password, should it end by itself. */
export interface LastingRedis {
  readonly url: string
  /** Resolves, with the reason, when it could not be started again. */
  readonly gaveUp: Promise<string>
  stop(): Promise<void>
}

/** Starts it in `<dir>/redis`. Rejects as {@link startPrivateRedis} does. */
export async function startLastingRedis(dir: string, say: (line: string) => void): Promise<LastingRedis> {
  const stopping = new AbortController()
  let redis = await startPrivateRedis({ dir })
  const { port, url } = redis

  const restart = async (): Promise<string | null> => {
    let why = ''
    for (let attempt = 0; attempt < RESTART_ATTEMPTS; attempt += 1) {
      await sleep(RESTART_PAUSE_MS * 2 ** attempt, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return null
      try {
        redis = await startPrivateRedis({ dir, port })
        return null
      } catch (error) {
        why = toFailure(error).detail
      }
    }
    return why
  }

  const watch = async (): Promise<string> => {
    for (;;) {
      const { code, signal } = await redis.exited
      if (stopping.signal.aborted) return 'stopped'
      await redis.stop()
      say(
        `redis ${signal === null ? `exited with code ${code}` : `was ended by ${signal}`}; starting it again`,
      )
      const why = await restart()
      if (why !== null) return `redis could not be started again: ${why}`
      if (stopping.signal.aborted) return 'stopped'
    }
  }
  const over = watch()

  return {
    url,
    gaveUp: over.then((why) => (stopping.signal.aborted ? new Promise<string>(() => {}) : why)),
    async stop() {
      stopping.abort()
      await redis.stop()
      await over
      // a restart that was under way has started another one
      await redis.stop()
    },
  }
}
