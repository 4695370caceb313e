import { parseMysqlUrl } from '../mysql-url.ts'
import type { Session, SessionOptions } from '../session.ts'
import { openSession } from '../session.ts'

/** Sessions of a test, which are closed together. */
export class SessionBench {
  readonly #opened: Session[] = []

  /** Opens the URL's schema, if it names one. */
  async open(url: string, options: Partial<SessionOptions> = {}): Promise<Session> {
    const connection = parseMysqlUrl(url)
    const session = await openSession(connection, {
      schema: connection.database,
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
