import { quoteName } from '../quote.ts'
import type { Program } from '../schema/schema-objects.ts'
import { PLAIN_DIALECT } from '../schema/sql-tokens.ts'
import { corrupt, foreign } from './corrupt-dump.ts'
import type { Meaning, ProgramKind } from './dump-grammar.ts'
import { meaningOf } from './dump-grammar.ts'
import { asBytes, asText, moveQualifiers, moveTrigger, withoutDefiner } from './program-text.ts'
import { requireSameProgram } from './same-program.ts'
import type { Statement } from './statement-reader.ts'
import { StatementReader, UnreadableText } from './statement-reader.ts'
import { ValueScanner } from './value-scanner.ts'

/** How a dump is to be changed on its way into a schema of ours. */
export interface LoadPlan {
  /** The name of the schema that was dumped. */
  readonly source: string
  /** The schema that it goes into. */
  readonly schema: string
  /**
   * All programs belong to whoever loads: nobody may make a view over the view or the function of somebody who has no
   * rights in this schema.
   */
  readonly asOwn: boolean
  /** The client knows the line at the top that makes it forget what runs other programs. */
  readonly keepsSandbox: boolean
  /** What the source had: other programs are none of the dump. */
  readonly programs: readonly Program[]
}

/** What has been found in a dump so far. */
export interface DumpShape {
  readonly tables: ReadonlySet<string>
  /** As `view v`, `package body p`; events included, which are left out. */
  readonly programs: ReadonlySet<string>
}

const NEWLINE = 10
const SANDBOX = /^\/\*M!999999\\- enable the sandbox mode \*\/ ?$/
const HEADER = /^-- (?:MariaDB|MySQL) dump /
const TRAILER = /^-- Dump completed(?: on [\d: -]+)?$/
const DELIMITER = /^DELIMITER (;;?)\s*$/
const INSERT = Buffer.from('INSERT INTO ')
const COLUMN = '(?:`(?:[^`]|``)+`|\\w+)'
const INSERT_HEAD = new RegExp(
  `^INSERT INTO (\`(?:[^\`]|\`\`)+\`) (?:\\(${COLUMN}(?:, ?${COLUMN})*\\) )?VALUES(?=[ \\n(])`,
)
const USUAL_HEAD_BYTES = 1024
const LONGEST_HEAD_BYTES = 1024 * 1024
const LONGEST_LINE_BYTES = 256 * 1024 * 1024
/** Rows of such tables lie on other servers, or in the tables that they are made of. */
const ELSEWHERE = /^(?:federated\w*|spider|connect|mrg_myisam|merge|blackhole|s3|oqgraph|sequence)$/i

/**
 * Lets of a dump through what makes tables, rows and programs of one schema, and nothing else: whatever could write
 * anywhere but where the client is connected to is refused before the client has it. Events are left out. Throws
 * ARTIFACT_CORRUPT for what no dump of one schema holds.
 */
export class LoadFilter {
  readonly #plan: LoadPlan
  readonly #source: string
  readonly #reader = new StatementReader()
  readonly #values = new ValueScanner()
  readonly #expected: ReadonlyMap<string, Program>
  readonly #tables = new Set<string>()
  readonly #programs = new Set<string>()
  /** Those whose rows would go elsewhere. */
  readonly #elsewhere = new Set<string>()
  readonly #places: { readonly line: number; readonly what: string }[] = []
  #rest: Buffer = Buffer.alloc(0)
  #lines = 0
  #seen: 'nothing' | 'header' | 'trailer' = 'nothing'

  constructor(plan: LoadPlan) {
    this.#plan = plan
    this.#source = asBytes(plan.source)
    this.#expected = new Map(plan.programs.map((program) => [`${program.kind} ${program.name}`, program]))
  }

  get shape(): DumpShape {
    return { tables: this.#tables, programs: this.#programs }
  }

  /** What of a piece goes on. */
  take(piece: Buffer): readonly Buffer[] {
    const all = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    const kept: Buffer[] = []
    let at = 0
    while (at < all.length) {
      const next = this.#values.isOpen ? this.#rows(all, at, kept) : this.#next(all, at, kept)
      if (next === at) break
      at = next
    }
    this.#rest = all.subarray(at)
    if (this.#rest.length > LONGEST_LINE_BYTES)
      throw corrupt('a line of it is longer than any statement may be')
    return kept
  }

  /** To be called at the end. Throws ARTIFACT_CORRUPT if it is not that of a dump. */
  end(): void {
    if (this.#seen === 'nothing') throw corrupt('it does not begin as a dump of mariadb-dump or mysqldump')
    const isCut =
      this.#rest.length > 0 || this.#reader.isInside || this.#values.isOpen || !this.#reader.isPlain
    if (isCut || this.#seen !== 'trailer') {
      throw corrupt('it does not end as a dump of mariadb-dump or mysqldump: it was cut short')
    }
  }

  /** What the client was given in that line, or in one of the last before it. */
  objectAt(line: number): string | null {
    return this.#places.findLast((place) => place.line <= line)?.what ?? null
  }

  #rows(all: Buffer, at: number, kept: Buffer[]): number {
    const before = this.#values.newlines
    const end = this.#values.scan(all, at)
    if (this.#values.isWrong) throw corrupt('rows hold something else than values')
    this.#lines += this.#values.newlines - before
    kept.push(all.subarray(at, end))
    return end
  }

  /** Reads one line, or the head of rows; nothing if there is more to come. */
  #next(all: Buffer, at: number, kept: Buffer[]): number {
    const isStart = !this.#reader.isInside && this.#reader.isPlain
    if (
      isStart &&
      all.length - at >= INSERT.length &&
      all.compare(INSERT, 0, INSERT.length, at, at + INSERT.length) === 0
    ) {
      return this.#insert(all, at, kept)
    }
    const end = all.indexOf(NEWLINE, at)
    if (end < 0) return at
    const text = this.#line(all.toString('latin1', at, end))
    if (text !== '') kept.push(Buffer.from(text, 'latin1'))
    return end + 1
  }

  #insert(all: Buffer, at: number, kept: Buffer[]): number {
    if (this.#seen !== 'header') throw corrupt('it has rows before its beginning or after its end')
    const head =
      INSERT_HEAD.exec(all.toString('latin1', at, at + USUAL_HEAD_BYTES)) ??
      INSERT_HEAD.exec(all.toString('latin1', at, at + LONGEST_HEAD_BYTES))
    if (head === null) {
      if (all.length - at < LONGEST_HEAD_BYTES) return this.#partOfHead(all, at)
      throw foreign()
    }
    const [text, name = ''] = head
    if (this.#elsewhere.has(name)) throw corrupt('it has rows for a table whose rows lie elsewhere')
    this.#place(`the rows of ${readable(name)}`)
    this.#values.begin()
    this.#lines += text.split('\n').length - 1
    kept.push(all.subarray(at, at + text.length))
    return at + text.length
  }

  /** A head that is whole and yet none will not get better. */
  #partOfHead(all: Buffer, at: number): number {
    const isOver =
      all.indexOf(NEWLINE, at) >= 0 &&
      /^INSERT INTO `(?:[^`]|``)+`[^ ]/.test(all.toString('latin1', at, at + USUAL_HEAD_BYTES))
    if (isOver) throw foreign()
    return at
  }

  /** What goes on of a line outside of rows. */
  #line(line: string): string {
    if (!this.#reader.isInside) {
      const text = this.#outside(line)
      if (text !== null) return text
      if (this.#seen !== 'header') throw corrupt('it holds statements before its beginning or after its end')
    }
    const statement = readStatement(this.#reader, line)
    if (statement === null) return ''
    const text = this.#judge(statement)
    this.#lines += text.split('\n').length - 1
    return text
  }

  /** Lines that are no part of a statement; null for all others. */
  #outside(line: string): string | null {
    if (this.#seen === 'nothing' && SANDBOX.test(line))
      return this.#plan.keepsSandbox ? this.#passed(line) : ''
    if (this.#seen === 'nothing' && HEADER.test(line)) this.#seen = 'header'
    else if (this.#seen === 'header' && TRAILER.test(line)) this.#seen = 'trailer'
    if (line.trim() === '' || /^--(?:\s|$)/.test(line)) return this.#passed(line)
    const delimiter = DELIMITER.exec(line)?.[1]
    if (delimiter === undefined) return null
    this.#reader.use(delimiter === ';' ? ';' : ';;')
    return this.#passed(line)
  }

  #passed(line: string): string {
    this.#lines += 1
    return `${line}\n`
  }

  #judge(statement: Statement): string {
    const meaning = meaningOf(statement, this.#reader.isPlain)
    if (meaning === null) throw foreign()
    if (meaning.does === 'program') return this.#program(statement, meaning.kind, readable(meaning.name))
    if (meaning.does === 'set') this.#followMode(meaning.sqlMode)
    return this.#plain(statement, meaning)
  }

  #plain({ text }: Statement, meaning: Meaning): string {
    switch (meaning.does) {
      case 'lock':
        return ''
      case 'drop':
        return meaning.kind === 'event' ? '' : text
      case 'schema':
        return this.#schema(text, meaning.name)
      case 'table':
        if (ELSEWHERE.test(meaning.engine)) this.#elsewhere.add(meaning.name)
        return this.#table(text, meaning.name)
      case 'sequence':
        return this.#table(text, meaning.name)
      case 'placeholder':
        return moveQualifiers(text, this.#source, this.#plan.schema)
      default:
        return text
    }
  }

  #table(text: string, name: string): string {
    this.#tables.add(readable(name))
    this.#place(`table ${readable(name)}`)
    return moveQualifiers(text, this.#source, this.#plan.schema)
  }

  /** Around programs that were created while the schema had another collation. */
  #schema(text: string, name: string): string {
    if (!isSameName(readable(name), this.#plan.source)) throw foreign()
    return text.replace(name, () => quoteName(this.#plan.schema))
  }

  #program(statement: Statement, kind: ProgramKind, name: string): string {
    if (kind === 'event') {
      this.#programs.add(`event ${name}`)
      return ''
    }
    const placed = kind === 'trigger' ? this.#trigger(statement) : { name, text: statement.text }
    const program = this.#expected.get(`${kind} ${placed.name}`)
    if (program === undefined) throw corrupt(`it has a ${kind} ${placed.name} that its source had not`)
    if (kind !== 'view') requireSameProgram(statement.text, program)
    this.#programs.add(`${kind} ${placed.name}`)
    this.#place(`${kind} ${placed.name}`)
    const { schema, asOwn } = this.#plan
    const text = asOwn ? withoutDefiner(placed.text) : placed.text
    return kind === 'view' ? moveQualifiers(text, this.#source, schema) : text
  }

  #trigger({ text }: Statement): { readonly name: string; readonly text: string } {
    // whether a text in double quotes is a name does not matter for where the head ends
    const moved = moveTrigger(text, this.#source, this.#plan.schema, { ...PLAIN_DIALECT, ansiQuotes: true })
    if (moved === null) throw corrupt('it has a trigger that names another schema')
    return { ...moved, name: asText(moved.name) }
  }

  #followMode(mode: string | null): void {
    if (mode !== null) this.#reader.noBackslashEscapes = mode.includes('NO_BACKSLASH_ESCAPES')
  }

  #place(what: string): void {
    this.#places.push({ line: this.#lines + 1, what })
  }
}

function readStatement(reader: StatementReader, line: string): Statement | null {
  try {
    return reader.take(line)
  } catch (error) {
    if (error instanceof UnreadableText) throw corrupt(error.message)
    throw error
  }
}

/** A name out of its quotes. */
function readable(name: string): string {
  const quote = name.charAt(0)
  return asText(name.slice(1, -1).replaceAll(quote + quote, quote))
}

/** Servers that know no case print names as they are kept. */
function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
