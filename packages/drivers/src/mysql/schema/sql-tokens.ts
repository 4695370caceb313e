import { nameIn } from './program-text.ts'
import type { Program } from './schema-objects.ts'

/** How a program's text is to be read, which depends on the sql_mode and character set of whoever wrote it. */
export interface Dialect {
  /** `"…"` is a name, not a text. */
  readonly ansiQuotes: boolean
  /** `\` in a text is nothing but a backslash. */
  readonly plainBackslashes: boolean
  /**
   * Bytes that begin a character of two bytes whose second one may look like a backslash or backtick: each character of
   * the SQL stands for a byte. Null where that cannot be.
   */
  readonly leadByte: RegExp | null
  /** Names as the server's lists have them, from what the text has. */
  readonly decode: (name: string) => string
}

export const PLAIN_DIALECT: Dialect = {
  ansiQuotes: false,
  plainBackslashes: false,
  leadByte: null,
  decode: (name) => name,
}

const SECOND_BYTE_LIKE_ASCII: Readonly<Record<string, RegExp>> = {
  big5: /[\x81-\xfe]/,
  cp932: /[\x81-\x9f\xe0-\xfc]/,
  gb18030: /[\x81-\xfe]/,
  gbk: /[\x81-\xfe]/,
  sjis: /[\x81-\x9f\xe0-\xfc]/,
}

/** The dialect of a program as the server has kept it. */
export function dialectOf(program: Pick<Program, 'sqlMode' | 'charset' | 'encoding' | 'createSql'>): Dialect {
  const modes = program.sqlMode.split(',')
  return {
    ansiQuotes: modes.includes('ANSI_QUOTES'),
    plainBackslashes: modes.includes('NO_BACKSLASH_ESCAPES'),
    leadByte: program.encoding === 'binary' ? (SECOND_BYTE_LIKE_ASCII[program.charset] ?? null) : null,
    decode: (name) => nameIn(program, name),
  }
}

export interface Token {
  /** `mark`: any other single character, and the borders of comments that the server executes. */
  readonly kind: 'blank' | 'comment' | 'text' | 'name' | 'word' | 'mark'
  readonly start: number
  readonly end: number
  readonly source: string
}

const BLANK = /\s+/y
// `--` begins a comment only before a blank or at the end
const COMMENT = /#[^\n]*|--(?=[\s\0]|$)[^\n]*|\/\*(?!M?!)[\s\S]*?(?:\*\/|$)/y
const EXECUTED = /\/\*M?!\d*|\*\//y
const WORD = /[\p{L}\p{N}_$\u0080-\uffff]+/uy

/** Splits SQL into tokens, which joined are the SQL again; what is not closed goes on to the end. */
export function* tokensOf(sql: string, dialect: Dialect = PLAIN_DIALECT): Generator<Token> {
  let start = 0
  while (start < sql.length) {
    const [kind, end] = tokenAt(sql, start, dialect)
    yield { kind, start, end, source: sql.slice(start, end) }
    start = end
  }
}

function tokenAt(sql: string, start: number, dialect: Dialect): [Token['kind'], number] {
  const first = sql.charAt(start)
  if (first === '`') return ['name', quotedEnd(sql, start, dialect, false)]
  if (first === '"' && dialect.ansiQuotes) return ['name', quotedEnd(sql, start, dialect, false)]
  if (first === "'" || first === '"')
    return ['text', quotedEnd(sql, start, dialect, !dialect.plainBackslashes)]
  const blank = endOf(BLANK, sql, start)
  if (blank > start) return ['blank', blank]
  const comment = endOf(COMMENT, sql, start)
  if (comment > start) return ['comment', comment]
  const executed = endOf(EXECUTED, sql, start)
  if (executed > start) return ['mark', executed]
  if (dialect.leadByte?.test(first)) return ['word', Math.min(start + 2, sql.length)]
  const word = dialect.leadByte === null ? endOf(WORD, sql, start) : asciiWordEnd(sql, start)
  return word > start ? ['word', word] : ['mark', start + 1]
}

const ASCII_WORD = /\w+|\$+/y

function asciiWordEnd(sql: string, start: number): number {
  return endOf(ASCII_WORD, sql, start)
}

function endOf(pattern: RegExp, sql: string, start: number): number {
  pattern.lastIndex = start
  return pattern.test(sql) ? pattern.lastIndex : start
}

function quotedEnd(sql: string, start: number, { leadByte }: Dialect, escapes: boolean): number {
  const quote = sql.charAt(start)
  let at = start + 1
  while (at < sql.length) {
    const character = sql.charAt(at)
    if (leadByte?.test(character) || (escapes && character === '\\')) {
      at += 2
    } else if (character !== quote) {
      at += 1
    } else if (sql.charAt(at + 1) === quote) {
      at += 2
    } else {
      return at + 1
    }
  }
  return sql.length
}

/** The name that a token stands for, without its quotes. */
export function nameOf({ kind, source }: Token, { decode }: Dialect = PLAIN_DIALECT): string {
  if (kind !== 'name' && kind !== 'text') return decode(source)
  const quote = source.charAt(0)
  return decode(source.slice(1, -1).replaceAll(quote + quote, quote))
}

/** Whether a token is one of these key words. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.source.toUpperCase())
}
