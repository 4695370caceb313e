import type { Statement } from './statement-reader.ts'

/** Kinds of programs as a dump names them. */
export type ProgramKind = 'view' | 'trigger' | 'function' | 'procedure' | 'package' | 'package body' | 'event'

/** What a statement of a dump does. Names are as they stand there: in quotes, one character for each byte. */
export type Meaning =
  | { readonly does: 'nothing' }
  | { readonly does: 'set'; readonly sqlMode: string | null }
  | { readonly does: 'drop'; readonly kind: string }
  | { readonly does: 'table'; readonly name: string; readonly engine: string }
  | { readonly does: 'sequence'; readonly name: string }
  /** What stands for a view until all tables are there. */
  | { readonly does: 'placeholder'; readonly name: string }
  | { readonly does: 'program'; readonly kind: ProgramKind; readonly name: string }
  | { readonly does: 'schema'; readonly name: string }
  | { readonly does: 'lock' }
  | { readonly does: 'other' }

const NAME = '(`(?:[^`]|``)+`|"(?:[^"]|"")+")'
const ACCOUNT = '(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")(?:@(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"))?'
const DEFINER = `(?:DEFINER ?= ?(?:${ACCOUNT}|CURRENT_USER(?:\\(\\))?) )?`

const SET = /^SET /i
/** A variable of the session, or of the client, and a plain value. */
const VARIABLE =
  /^(?:@\w+|(?:@@session\.|SESSION )?(?:character_set_client|character_set_results|collation_connection|sql_mode|time_zone|unique_checks|foreign_key_checks|sql_notes|note_verbosity|autocommit|system_versioning_insert_history))$/i
const VALUE = /^(?:@{0,2}(?:session\.)?\w+|'[\w,:+/ -]*')$/i
const NAMES = /^NAMES \w+$/i

const DROPS =
  /^DROP (TABLE|VIEW|SEQUENCE|FUNCTION|PROCEDURE|PACKAGE BODY|PACKAGE|TRIGGER|EVENT) IF EXISTS [^.]*$/i
const DROPS_EVENT = /^DROP EVENT IF EXISTS [^.]*$/i
const TABLE = new RegExp(`^CREATE TABLE (?:IF NOT EXISTS )?${NAME} ?\\(`, 'i')
const SEQUENCE = new RegExp(`^CREATE SEQUENCE ${NAME} `, 'i')
const PLACEHOLDER = new RegExp(`^CREATE VIEW ${NAME} AS SELECT `, 'i')
const VIEW = new RegExp(
  `^CREATE (?:OR REPLACE )?(?:ALGORITHM ?= ?\\w+ )?${DEFINER}(?:SQL SECURITY \\w+ )?VIEW ${NAME} (?:\\(|AS )`,
  'i',
)
const ROUTINE = new RegExp(
  `^CREATE (?:OR REPLACE )?${DEFINER}(?:AGGREGATE )?(FUNCTION|PROCEDURE|PACKAGE BODY|PACKAGE) (?:IF NOT EXISTS )?${NAME} ?(?![ .])`,
  'i',
)
const TRIGGER = new RegExp(`^CREATE (?:OR REPLACE )?${DEFINER}TRIGGER `, 'i')
const EVENT = new RegExp(`^CREATE (?:OR REPLACE )?${DEFINER}EVENT (?:IF NOT EXISTS )?${NAME}`, 'i')
const SCHEMA = new RegExp(`^ALTER DATABASE ${NAME} CHARACTER SET \\w+ COLLATE \\w+$`, 'i')
const LOCK = new RegExp(`^(?:LOCK TABLES ${NAME} WRITE|UNLOCK TABLES)$`, 'i')
const OTHERS = [
  new RegExp(`^ALTER TABLE ${NAME} (?:DIS|EN)ABLE KEYS$`, 'i'),
  new RegExp(`^(?:DO|SELECT) SETVAL ?\\(${NAME}(?:, ?-?\\d+)+\\)$`, 'i'),
  /^COMMIT$/i,
]
/** What a definition of a table has no use for, outside of quotes. */
const READS_MORE = /\b(?:SELECT|TABLE_NAME|EXECUTE|UNION\s+ALL)\b/i
const ENGINE = /\bENGINE ?= ?(\w+)/i

/**
 * What a statement outside of the rows does. Null for all that the dump of one schema has no use for: other schemas,
 * accounts, global settings, statements unknown.
 */
export function meaningOf(statement: Statement, isPlain: boolean): Meaning | null {
  const { code, bare } = statement
  if (code === '') return { does: 'nothing' }
  if (SET.test(code)) return meaningOfSet(statement)
  if (isPlain) return meaningOfPlain(statement)
  const routine = ROUTINE.exec(code)
  if (routine !== null) return program(kindOf(routine[1]), routine[2])
  if (TRIGGER.test(code)) return program('trigger', '')
  const event = EVENT.exec(code)
  if (event !== null) return program('event', event[1])
  // between two events a dump program keeps its delimiter
  return DROPS_EVENT.test(bare) ? { does: 'drop', kind: 'event' } : null
}

function meaningOfPlain(statement: Statement): Meaning | null {
  const { code, bare } = statement
  const dropped = DROPS.exec(bare)
  if (dropped !== null) return { does: 'drop', kind: (dropped[1] ?? '').toLowerCase() }
  const table = TABLE.exec(code)
  if (table !== null && !READS_MORE.test(bare)) return tableOf(table[1] ?? '', bare)
  const sequence = SEQUENCE.exec(code)
  if (sequence !== null) return { does: 'sequence', name: sequence[1] ?? '' }
  const placeholder = PLACEHOLDER.exec(code)
  if (placeholder !== null) return { does: 'placeholder', name: placeholder[1] ?? '' }
  const view = VIEW.exec(code)
  if (view !== null) return program('view', view[1])
  const schema = SCHEMA.exec(code)
  if (schema !== null) return { does: 'schema', name: schema[1] ?? '' }
  if (LOCK.test(code)) return { does: 'lock' }
  return OTHERS.some((known) => known.test(code)) ? { does: 'other' } : null
}

function meaningOfSet({ code }: Statement): Meaning | null {
  const body = code.replace(SET, '')
  if (NAMES.test(body)) return { does: 'set', sqlMode: null }
  let sqlMode: string | null = null
  for (const assignment of assignmentsOf(body)) {
    const [name = '', value = ''] = assignment
    if (!VARIABLE.test(name) || !VALUE.test(value)) return null
    if (/sql_mode$/i.test(name) && !name.startsWith('@old') && !/^@\w/.test(name)) sqlMode = value
  }
  return { does: 'set', sqlMode }
}

/** The values are single words, or texts that may have commas in them. */
function assignmentsOf(body: string): readonly (readonly string[])[] {
  const parts = body.match(/(?:'[^']*'|[^',])+/g) ?? []
  return parts.map((part) => part.split(/:?=/, 2).map((half) => half.trim()))
}

function tableOf(name: string, bare: string): Meaning {
  return { does: 'table', name, engine: ENGINE.exec(bare)?.[1] ?? '' }
}

function program(kind: ProgramKind, name = ''): Meaning {
  return { does: 'program', kind, name }
}

function kindOf(word = ''): ProgramKind {
  const kinds = { function: 'function', procedure: 'procedure', package: 'package' } as const
  const lower = word.toLowerCase()
  if (lower === 'function' || lower === 'procedure' || lower === 'package') return kinds[lower]
  return 'package body'
}
