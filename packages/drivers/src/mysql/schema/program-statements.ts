import type { ServerFacts } from '../flavours.ts'
import { quoteName, quoteText } from '../quote.ts'
import { quoteAccount } from './accounts.ts'
import { nameFor, textToEdit } from './program-text.ts'
import { requalify } from './requalify.ts'
import { rewriteHeader } from './rewrite-header.ts'
import type { Program, ProgramKind } from './schema-objects.ts'
import { dialectOf } from './sql-tokens.ts'

/** Whose the copy of a program is: as before, whoever creates it, or an account as the server keeps it (`user@host`). */
export type DefinerChoice = 'keep' | 'current' | { readonly account: string }

export interface ProgramPlace {
  /** The session's current schema, in which the program is created. */
  readonly schema: string
  /** The one that it was read from, if that is another: its qualifiers are changed. */
  readonly from?: string
  readonly definer: DefinerChoice
  /** Of triggers: another name of their table. */
  readonly onTable?: string
  /** The schema's own collation, if it is known: where a program was created under another one, it is changed meanwhile. */
  readonly schemaCollation?: string
  /** Where it is created, if that is known: modes that this server no longer has are left out. */
  readonly server?: ServerFacts
}

/** `binary`: each character stands for one byte; such a statement must reach the server as those bytes. */
export interface Statement {
  readonly sql: string
  readonly encoding: 'utf8' | 'binary'
}

/**
 * The statements that make a program again exactly as it was, under its sql_mode, character sets and time zone. They
 * run one after another in one session whose current schema is `schema`; the last ones give the session its own
 * settings back, which somebody else has to do if one of them fails: see {@link resetStatements}.
 */
export function createStatements(program: Program, place: ProgramPlace): readonly Statement[] {
  return [
    plain(REMEMBER),
    ...collationChange(program, place).map((collation) => plain(alterCollation(place.schema, collation))),
    plain(settingsOf(program, place)),
    definitionAt(program, place),
    ...resetStatements(program, place),
  ]
}

/** What {@link createStatements} ends with, each of it on its own: for whoever gives up in the middle. */
export function resetStatements(program: Program, place: ProgramPlace): readonly Statement[] {
  const own = place.schemaCollation
  if (own === undefined || collationChange(program, place).length === 0) return [plain(RESET)]
  return [plain(RESET), plain(alterCollation(place.schema, own))]
}

function collationChange(
  { databaseCollation }: Program,
  { schemaCollation }: ProgramPlace,
): readonly string[] {
  if (databaseCollation === null || schemaCollation === undefined) return []
  return databaseCollation === schemaCollation ? [] : [databaseCollation]
}

/** Removes a program from the session's current schema; nothing happens if it is not there. */
export function dropStatement({ kind, name }: Pick<Program, 'kind' | 'name'>): string {
  return inModeOf(kind, `DROP ${kind.toUpperCase()} IF EXISTS ${quoteName(name)}`)
}

/** Gives a routine's privileges back, which dropping it revokes. An account that is not there makes its one fail. */
export function grantStatements({ kind, name, grants }: Program, schema: string): readonly string[] {
  return grants.map(({ account, privileges, withGrantOption }) => {
    const what = privileges.length === 0 ? 'USAGE' : privileges.join(', ')
    const where = `${kind.toUpperCase()} ${quoteName(schema)}.${quoteName(name)}`
    const grant = `GRANT ${what} ON ${where} TO ${account}${withGrantOption ? ' WITH GRANT OPTION' : ''}`
    return inModeOf(kind, grant)
  })
}

/** Packages are known to no statement of another mode. MariaDB 10.5 runs such a DROP in no way as one statement. */
function inModeOf(kind: ProgramKind, sql: string): string {
  if (kind !== 'package' && kind !== 'package body') return sql
  return `SET STATEMENT sql_mode = 'ORACLE' FOR EXECUTE IMMEDIATE ${quoteText(sql)}`
}

const SETTINGS = [
  'sql_mode',
  'character_set_client',
  'collation_connection',
  'time_zone',
  'timestamp',
] as const
const REMEMBER = `SET ${SETTINGS.slice(0, -1)
  .map((setting) => `@holdfast_${setting} = @@SESSION.${setting}`)
  .join(', ')}`
const RESET = `SET ${SETTINGS.map((setting) =>
  setting === 'timestamp' ? 'SESSION timestamp = DEFAULT' : `SESSION ${setting} = @holdfast_${setting}`,
).join(', ')}`

/** What MySQL 8.0 no longer has; it refuses the name of any. */
const REMOVED_MODES = [
  ...['DB2', 'MAXDB', 'MSSQL', 'MYSQL323', 'MYSQL40', 'ORACLE', 'POSTGRESQL'],
  ...['NO_AUTO_CREATE_USER', 'NO_FIELD_OPTIONS', 'NO_KEY_OPTIONS', 'NO_TABLE_OPTIONS'],
]

function settingsOf(program: Program, { server }: ProgramPlace): string {
  const removed = server?.flavour.name === 'MySQL' && server.version >= 80_000 ? REMOVED_MODES : []
  const modes = program.sqlMode.split(',').filter((mode) => !removed.includes(mode))
  const settings = [
    `sql_mode = '${wordOf(modes.join(','))}'`,
    `character_set_client = ${wordOf(program.charset)}`,
    `collation_connection = ${wordOf(program.collation)}`,
    ...(program.timeZone === null ? [] : [`time_zone = '${wordOf(program.timeZone)}'`]),
    ...(program.createdAt === null ? [] : [`timestamp = ${program.createdAt}`]),
  ]
  return `SET ${settings.map((setting) => `SESSION ${setting}`).join(', ')}`
}

/** The CREATE statement for another place; the same text if nothing about it differs. */
export function definitionAt(program: Program, { schema, from, definer, onTable }: ProgramPlace): Statement {
  const written = { ...program, ...textToEdit(program) }
  const sql = rewriteHeader(written, {
    schema,
    definer: typeof definer === 'string' ? definer : quoteAccount(definer.account),
    onTable: onTable ?? null,
  })
  // in bodies of routines, triggers and events names are as somebody wrote them, with or without quotes
  if (program.kind !== 'view' || from === undefined) return { sql, encoding: written.encoding }
  const qualified = requalify(sql, from, nameFor(written, schema), dialectOf(written))
  return { sql: qualified, encoding: written.encoding }
}

function alterCollation(schema: string, collation: string): string {
  return `ALTER DATABASE ${quoteName(schema)} COLLATE ${wordOf(collation)}`
}

/** Names of settings, character sets, collations and time zones go into statements as they are. */
function wordOf(text: string): string {
  if (/^[\w+:/, -]*$/.test(text)) return text
  throw new Error('a setting of a program is not what a server could have printed')
}

function plain(sql: string): Statement {
  return { sql, encoding: 'utf8' }
}
