import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger, OperationEvent } from '@holdfast/core'
import type { Redis } from 'ioredis'
import { connectRedis } from './connect-redis.ts'
import { KEYS } from './names.ts'
import { createOutageLog } from './outage-log.ts'
import { describeRedisError } from './redis-error.ts'
import { within } from './within.ts'

const BLOCK_MS = 2_000
const BATCH = 500
const RETRY_MS = 500
/** Before the first entry of any stream. */
const BEGINNING = '0-0'

export type OperationListener = (event: OperationEvent) => void

/** The changes of all operations, read once per process and handed to any number of listeners. */
export interface OperationWatch {
  /** Calls the listener for every change from now on, in order. Returns how to stop that. */
  subscribe(listener: OperationListener): () => void
  /**
   * What changed after the event with this id, oldest first, at most 500; none if the id is not one of ours.
   * Rejects with QUEUE_UNAVAILABLE within 3 s.
   */
  since(eventId: string): Promise<readonly OperationEvent[]>
  close(): Promise<void>
}

/** Starts reading. Survives restarts and loss of Redis; events may be lost or repeated then, so watchers also poll. */
export function watchOperationEvents({
  redisUrl,
  log,
}: {
  readonly redisUrl: string
  readonly log: Logger
}): OperationWatch {
  const reader = connectRedis(redisUrl, 'worker', log)
  const asker = connectRedis(redisUrl, 'producer', log)
  const listeners = new Set<OperationListener>()
  const closing = new AbortController()
  const tell = (event: OperationEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (error) {
        log.error({ err: error }, 'a watcher of operations failed')
      }
    }
  }
  void readForEver(reader, tell, closing.signal, log)

  return {
    subscribe(listener) {
      // a wrapper, so that the same function subscribed twice is called twice
      const own: OperationListener = (event) => listener(event)
      listeners.add(own)
      return () => listeners.delete(own)
    },
    async since(eventId) {
      if (!/^\d{1,16}-\d{1,16}$/.test(eventId)) return []
      const entries = await within(asker, 'reading events', () =>
        asker.xrange(KEYS.events, `(${eventId}`, '+', 'COUNT', BATCH),
      )
      return entries.flatMap(toEvent)
    },
    async close() {
      closing.abort()
      // a command that waits for Redis to come back never settles after this, so nobody waits for it
      reader.disconnect()
      asker.disconnect()
    },
  }
}

async function readForEver(
  redis: Redis,
  tell: OperationListener,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const outage = createOutageLog(log, 'reading events')
  let position: string | null = null
  while (!signal.aborted) {
    try {
      position ??= await newest(redis)
      const events = await readAfter(redis, position)
      outage.worked()
      events.forEach(tell)
      position = events.at(-1)?.id ?? (await afterSilence(redis, position))
    } catch (error) {
      if (signal.aborted) return
      outage.failed(describeRedisError(error))
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Waits a while for entries; none if there are none. */
async function readAfter(redis: Redis, position: string): Promise<readonly OperationEvent[]> {
  const answer = await redis.xread('COUNT', BATCH, 'BLOCK', BLOCK_MS, 'STREAMS', KEYS.events, position)
  return (answer?.[0]?.[1] ?? []).flatMap(toEvent)
}

/** A stream that was lost begins anew, perhaps behind our position if the clock was set back. */
async function afterSilence(redis: Redis, position: string): Promise<string> {
  const last = await newest(redis)
  return isBefore(last, position) ? BEGINNING : position
}

async function newest(redis: Redis): Promise<string> {
  const [entry] = await redis.xrevrange(KEYS.events, '+', '-', 'COUNT', 1)
  return entry?.[0] ?? BEGINNING
}

function isBefore(a: string, b: string): boolean {
  const [aTime = 0, aCount = 0] = a.split('-').map(Number)
  const [bTime = 0, bCount = 0] = b.split('-').map(Number)
  return aTime < bTime || (aTime === bTime && aCount < bCount)
}

function toEvent([id, fields]: [id: string, fields: string[]]): readonly OperationEvent[] {
  const operationId = fields[fields.indexOf('operationId') + 1]
  return operationId === undefined ? [] : [{ id, operationId }]
}
