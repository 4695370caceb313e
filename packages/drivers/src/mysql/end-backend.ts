import { ask, fillIn } from './ask.ts'
import { connectClient } from './connect.ts'
import type { MysqlConnection } from './mysql-url.ts'
import type { Backend } from './session-settings.ts'

const ENDED_WITHIN_MS = 3_000

/**
 * Ends a session on the server over another connection: one that works does not notice that nobody listens. As well as
 * it goes, in bounded time; never rejects.
 */
export async function endBackend(connection: MysqlConnection, { id, origin }: Backend): Promise<void> {
  const signal = AbortSignal.timeout(ENDED_WITHIN_MS)
  try {
    const { socket } = await connectClient(connection, { schema: null, signal }, async (client) => {
      const sql = 'SELECT id FROM information_schema.processlist WHERE id = ? AND host = ?'
      const found = await ask(client, fillIn(sql, [id, origin]))
      if (found.length > 0) await ask(client, `KILL CONNECTION ${id}`)
    })
    socket.destroy()
  } catch {
    // a server that cannot be reached any more will notice by itself that its client is gone
  }
}
