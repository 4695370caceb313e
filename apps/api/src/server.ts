import type { AddressInfo } from 'node:net'
import type { Configuration } from '@holdfast/core'
import { hasCode } from '@holdfast/core'
import type { FastifyBaseLogger } from 'fastify'
import { buildApp } from './app.ts'
import { ensureAdminKey } from './auth/first-key.ts'
import { compose } from './compose.ts'

/** Requests under way have this long to end once the server is asked to stop. */
const DRAIN_MS = 3_000

export interface ServerOptions {
  readonly configuration: Configuration
  readonly log: FastifyBaseLogger
  /** Gets the first admin key if one had to be made: nobody will ever see it again. */
  readonly tellFirstKey: (key: string) => void
}

export interface RunningServer {
  readonly port: number
  /** Stops listening, ends streams and long polls, lets short requests finish; takes less than 5 s. */
  close(): Promise<void>
}

/** Starts the API. Rejects, with nothing left open, if the catalog cannot be used or the port is taken. */
export async function startServer({
  configuration,
  log,
  tellFirstKey,
}: ServerOptions): Promise<RunningServer> {
  const parts = await compose(configuration, log)
  try {
    await parts.deps.queue.ping().catch((error: unknown) => {
      if (!hasCode(error, 'QUEUE_UNAVAILABLE')) throw error
      log.warn({ err: error }, 'redis is away, work will be accepted once it is there')
    })
    const firstKey = configuration.apiKey === null ? await ensureAdminKey(parts.deps.catalog.keys) : null
    if (firstKey !== null) tellFirstKey(firstKey)
    const { app } = await buildApp(parts.deps)
    await app.listen({ host: configuration.host, port: configuration.port })
    return {
      port: portOf(app.server.address()),
      async close() {
        const drain = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
        await app.close().finally(() => clearTimeout(drain))
        await parts.close()
      },
    }
  } catch (error) {
    await parts.close()
    throw error
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address !== null && typeof address === 'object') return address.port
  throw new TypeError('a TCP server without a port')
}
