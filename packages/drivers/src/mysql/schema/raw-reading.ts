import { quoteName } from '../quote.ts'
import type { Session } from '../session.ts'

/** Text as a server keeps it; see `Program.encoding`. */
export interface RawText {
  readonly text: string
  readonly encoding: 'utf8' | 'binary'
}

const WITHOUT_MODES = "SET SESSION character_set_results = binary, SESSION sql_mode = ''"
const REMEMBER =
  'SET @holdfast_mode = @@SESSION.sql_mode, @holdfast_results = @@SESSION.character_set_results'
const RESET = 'SET SESSION character_set_results = @holdfast_results, SESSION sql_mode = @holdfast_mode'

/**
 * Runs `read` while the session answers with bytes as they are kept, without any conversion, and prints definitions in
 * no special mode; and while `schema` is the current one, whose name is then left out of views.
 */
export async function whileRaw<Result>(
  session: Session,
  schema: string,
  read: () => Promise<Result>,
): Promise<Result> {
  const [current] = await session.query<{ name: string | null }>('SELECT DATABASE() AS name')
  await session.query(REMEMBER)
  try {
    if (current?.name !== schema) await session.query(`USE ${quoteName(schema)}`)
    await session.query(WITHOUT_MODES)
    return await read()
  } finally {
    // one that is lost rejects here as it did before
    await session.query(RESET)
    const before = current?.name ?? schema
    if (before !== schema) await session.query(`USE ${quoteName(before)}`)
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What a column of such an answer holds: bytes, as far as the client library does not take them for text already. */
export function rawText(value: unknown): RawText | null {
  if (typeof value === 'string') return { text: value, encoding: 'utf8' }
  if (!(value instanceof Uint8Array)) return null
  try {
    return { text: UTF8.decode(value), encoding: 'utf8' }
  } catch {
    return { text: Buffer.from(value).toString('latin1'), encoding: 'binary' }
  }
}
