import type { Flavour } from '../flavours.ts'
import type { Session } from '../session.ts'

/** What a server that is not here answered to a statement: rows, or the failure it rejected with. */
export type RecordedAnswer = readonly object[] | Error

/** A session that answers what was recorded, to statements that begin with the same text; nothing to all others. */
export class RecordedSession implements Session {
  readonly id = 1
  readonly encrypted = false
  readonly lost = new AbortController().signal
  readonly server: Session['server']
  readonly asked: string[] = []
  readonly #answers: Readonly<Record<string, RecordedAnswer>>

  constructor(flavour: Flavour, version: number, answers: Readonly<Record<string, RecordedAnswer>> = {}) {
    this.server = { flavour, version, versionText: String(version) }
    this.#answers = answers
  }

  async query<Row extends object>(sql: string): Promise<readonly Row[]> {
    this.asked.push(sql)
    const [, answer = []] =
      Object.entries(this.#answers).find(([begin]) => sql.trim().startsWith(begin)) ?? []
    if (answer instanceof Error) throw answer
    // recorded as the server has it
    return answer as readonly Row[]
  }

  async close(): Promise<void> {}
}
