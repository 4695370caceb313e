import { parsePostgresUrl } from '../postgres-url.ts'
import type { Session, SessionOptions } from '../session.ts'
import { openSession } from '../session.ts'

export { listenSilently, reasonOf, waitUntil } from '../../client-server/testing/waiting.ts'

/** Sessions of a test, which are closed together. */
export class SessionBench {
  readonly #opened: Session[] = []

  /** Opens the URL's database, or `postgres`. */
  async open(url: string, options: Partial<SessionOptions> = {}): Promise<Session> {
    const connection = parsePostgresUrl(url)
    const session = await openSession(connection, {
      database: connection.database ?? 'postgres',
      applicationName: 'tests',
      signal: new AbortController().signal,
      ...options,
    })
    this.#opened.push(session)
    return session
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((session) => session.close()))
  }
}
