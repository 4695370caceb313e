import type { Connection } from 'mysql2'
import { quoteBytes, quoteText } from './quote.ts'

/** What may stand for a `?`. */
export type Param = string | number | bigint | boolean | Uint8Array | null

/** Number of a character set that the library writes with one byte for each of the first 256 characters. */
const ONE_BYTE_EACH = 8

/** The rows of one statement, as the library has them; none for a statement without a result. */
export function ask(
  client: Connection,
  sql: string,
  encoding: 'utf8' | 'binary' = 'utf8',
): Promise<readonly unknown[]> {
  // the library looks at it when it sends the statement, and has no other way to send bytes
  const config: { charsetNumber?: number } = client.config
  const usual = config.charsetNumber
  if (encoding === 'binary') config.charsetNumber = ONE_BYTE_EACH
  return new Promise((resolve, reject) => {
    client.query({ sql }, (error: Error | null, result: unknown) => {
      if (encoding === 'binary' && usual !== undefined) config.charsetNumber = usual
      if (error !== null) reject(error)
      else resolve(rowsOf(result))
    })
  })
}

/** Strings and names in quotes, and comments: a question mark in them is none of ours. */
const TOKENS =
  /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`]|``)*`|\/\*[\s\S]*?\*\/|--[ \t][^\n]*|#[^\n]*|\?/g

/** The statement with its question marks replaced, in a way that no sql_mode changes the meaning of. */
export function fillIn(sql: string, params: readonly Param[]): string {
  if (params.length === 0) return sql
  let used = 0
  const filled = sql.replace(TOKENS, (token) => {
    if (token !== '?') return token
    const param = params[used]
    used += 1
    return param === undefined ? token : literal(param)
  })
  if (used !== params.length)
    throw new Error('a statement has another number of question marks than of values')
  return filled
}

function literal(param: Param): string {
  if (param === null) return 'NULL'
  if (typeof param === 'string') return quoteText(param)
  if (typeof param === 'boolean') return param ? '1' : '0'
  if (typeof param === 'bigint') return `${param}`
  if (param instanceof Uint8Array) return quoteBytes(param)
  if (!Number.isFinite(param)) throw new Error('no number of SQL')
  return `${param}`
}

function rowsOf(result: unknown): readonly unknown[] {
  if (!Array.isArray(result)) return []
  // of a procedure: several results, of which the last one says how it ended
  const lists = result.filter((entry) => Array.isArray(entry))
  return lists.at(-1) ?? result
}
