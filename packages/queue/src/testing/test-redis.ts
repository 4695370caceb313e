import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { PrivateRedis } from '../private-redis.ts'
import { startPrivateRedis } from '../private-redis.ts'

/** A private Redis for one test file, with everything that may happen to a Redis. */
export interface TestRedis {
  readonly url: string
  readonly port: number
  /** A connection of the test's own. */
  readonly client: Redis
  /** Loses all data at once, under live connections. */
  flush(): Promise<void>
  /** Ends it; the port and the data stay for {@link up}. */
  down(): Promise<void>
  up(): Promise<void>
  /** Accepts connections and answers nothing, until thawed. */
  freeze(): void
  thaw(): void
  /** Ends it and removes its data. */
  close(): Promise<void>
}

/** Starts a private Redis in a temporary directory of its own. */
export async function startTestRedis(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-redis-'))
  let server: PrivateRedis = await startPrivateRedis({ dir })
  const { url, port } = server
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  const thaw = (): void => {
    process.kill(server.pid, 'SIGCONT')
  }
  return {
    url,
    port,
    client,
    async flush() {
      await client.flushall()
    },
    async down() {
      await server.stop()
    },
    async up() {
      server = await startPrivateRedis({ dir, port })
    },
    freeze() {
      process.kill(server.pid, 'SIGSTOP')
    },
    thaw,
    async close() {
      client.disconnect()
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
