import { connectClient } from './connect.ts'
import type { PostgresConnection } from './postgres-url.ts'
import type { Backend } from './session-settings.ts'

const ENDED_WITHIN_MS = 3_000

/**
 * Ends a session on the server over another connection: one that works does not notice that nobody listens. As well as
 * it goes, in bounded time; never rejects.
 */
export async function endBackend(
  connection: PostgresConnection,
  database: string,
  { pid, startedAt }: Backend,
): Promise<void> {
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), ENDED_WITHIN_MS)
  try {
    const wanted = { database, applicationName: 'holdfast', signal: stop.signal }
    const { client } = await connectClient(connection, wanted)
    stop.signal.addEventListener('abort', () => client.connection.stream.destroy())
    const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2`
    await client.query(sql, [pid, startedAt])
    await client.end()
  } catch {
    // a server that cannot be reached any more will notice by its own checks that its client is gone
  } finally {
    clearTimeout(timer)
  }
}
