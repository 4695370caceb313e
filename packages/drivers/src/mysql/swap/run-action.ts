import { AppError } from '@holdfast/core'
import { errnoOf } from '../failure.ts'
import { quoteName, quoteQualified } from '../quote.ts'
import { createProgram } from '../schema/create-program.ts'
import { dropStatement } from '../schema/program-statements.ts'
import type { Session } from '../session.ts'
import { giveBack } from './grants.ts'
import { isThere } from './is-there.ts'
import { writePosition } from './journal.ts'
import { JOURNAL } from './journal-table.ts'
import { setKeys } from './missing-keys.ts'
import { clausesOf, commentOn, schemaExists } from './own-schema.ts'
import type { Action, CreateProgram, Move, Path, Place } from './steps.ts'

/** Makes one change, whether or not it was made before. */
export async function runAction(session: Session, action: Action): Promise<void> {
  switch (action.do) {
    case 'create-schema':
      if (await schemaExists(session, action.schema)) return
      await session.query(`CREATE DATABASE ${quoteName(action.schema)}${clausesOf(action.defaults)}`)
      return commentOn(session, action.schema, action.defaults.comment)
    case 'drop-empty-schema':
      return dropEmpty(session, action.schema)
    case 'set-defaults':
      await session.query(`ALTER DATABASE ${quoteName(action.schema)}${clausesOf(action.defaults)}`)
      return commentOn(session, action.schema, action.defaults.comment)
    case 'drop':
      await use(session, action.schema)
      await session.query(dropStatement(action.program))
      return
    case 'create':
      return create(session, action)
    case 'move':
      return move(session, action.towards, action.moves)
    case 'set-default':
      return setDefault(session, action)
    case 'set-keys':
      return setKeys(session, await whereIs(session, action.path), action.schema, action.keys)
    case 'mark':
      return writePosition(session, action.schema, { direction: action.direction })
    case 'expect-tables':
      return expectTables(session, action.schema, action.names)
  }
}

async function use(session: Session, schema: string): Promise<void> {
  await session.query(`USE ${quoteName(schema)}`)
}

/** Somebody else may have put something in there meanwhile. */
async function dropEmpty(session: Session, schema: string): Promise<void> {
  if (!(await schemaExists(session, schema)) || (await tablesOf(session, schema)).length > 0) return
  const [used] = await session.query<{ readonly routines: string }>(
    'SELECT COUNT(*) AS routines FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?',
    [schema],
  )
  if (used?.routines === '0') await session.query(`DROP DATABASE ${quoteName(schema)}`)
}

async function create(session: Session, action: CreateProgram): Promise<void> {
  const { schema, program, from, definer, path, schemaCollation, grants, mayFail } = action
  const table = path === null ? null : (await whereIs(session, path)).name
  const onTable = table === null ? {} : { onTable: table }
  try {
    const sought = { schema, ...program, table: table ?? program.table ?? '' }
    if (!(action.unlessThere === true && (await isThere(session, sought)))) {
      await use(session, schema)
      await session.query(dropStatement(program))
      await createProgram(session, program, { schema, from, definer, schemaCollation, ...onTable })
    }
  } catch (error) {
    if (mayFail && errnoOf(error) !== null && !session.lost.aborted) return
    throw named(`create the ${program.kind} ${program.name}`, error)
  }
  const what = `grant privileges on the ${program.kind} ${program.name}`
  for (const grant of grants)
    await giveBack(session, grant).catch((error) => Promise.reject(named(what, error)))
}

/** One statement for all tables: clients see them before or after it. */
async function move(session: Session, towards: 'end' | 'start', moves: readonly Move[]): Promise<void> {
  const found = await namesIn(
    session,
    new Set(moves.flatMap(({ path }) => path.places.map(({ schema }) => schema))),
  )
  const renames = moves.flatMap(({ path, to }) => {
    const at = indexOf(path, found)
    const [source, target] = [path.places[at], path.places[to]]
    const isThere = towards === 'end' ? at >= to : at <= to
    if (isThere || source === undefined || target === undefined) return []
    return [`${quoted(source)} TO ${quoted(target)}`]
  })
  if (renames.length > 0) await session.query(`RENAME TABLE ${renames.join(', ')}`)
}

async function setDefault(
  session: Session,
  { path, columns }: Extract<Action, { readonly do: 'set-default' }>,
): Promise<void> {
  // a default says nothing of the past, which servers cannot know
  const keep = session.server.flavour.versionedTables
  if (keep) await session.query("SET SESSION system_versioning_alter_history = 'KEEP'")
  const table = quoted(await whereIs(session, path))
  const changes = columns.map(
    ({ column, expression }) => `ALTER COLUMN ${quoteName(column)} SET DEFAULT ${expression}`,
  )
  try {
    await session.query(`ALTER TABLE ${table} ${changes.join(', ')}`)
  } finally {
    if (keep) await session.query("SET SESSION system_versioning_alter_history = 'ERROR'").catch(() => {})
  }
}

async function expectTables(session: Session, schema: string, names: readonly string[]): Promise<void> {
  const expected = new Set(names)
  const more = (await tablesOf(session, schema)).filter(
    ({ name, kind }) => kind !== 'VIEW' && !expected.has(name),
  )
  if (more.length === 0) return
  throw new AppError('DATABASE_CHANGED', `the table ${more[0]?.name} was created during the exchange`)
}

async function whereIs(session: Session, path: Path): Promise<Place> {
  const found = await namesIn(session, new Set(path.places.map(({ schema }) => schema)))
  const place = path.places[indexOf(path, found)]
  if (place === undefined) throw new Error('a table has a place')
  return place
}

/** Only names of ours tell: the one in the live schema may be that of another table. */
function indexOf({ places, live }: Path, found: ReadonlyMap<string, ReadonlySet<string>>): number {
  const isThere = ({ schema, name }: Place) => found.get(schema)?.has(name) ?? false
  const own = places.findIndex((place, index) => index !== live && isThere(place))
  return own === -1 ? live : own
}

async function namesIn(
  session: Session,
  schemas: ReadonlySet<string>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, ReadonlySet<string>>()
  for (const schema of schemas) {
    found.set(schema, new Set((await tablesOf(session, schema)).map(({ name }) => name)))
  }
  return found
}

function tablesOf(
  session: Session,
  schema: string,
): Promise<readonly { readonly name: string; readonly kind: string }[]> {
  return session.query(
    `SELECT TABLE_NAME AS name, TABLE_TYPE AS kind FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME <> ?`,
    [schema, JOURNAL],
  )
}

function quoted({ schema, name }: Place): string {
  return quoteQualified(schema, name)
}

/** The same failure, with what could not be done. */
function named(what: string, error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  const { code, message, hint, retryable } = error
  return new AppError(code, `could not ${what}: ${message}`, {
    retryable,
    cause: error,
    ...(hint !== null && { hint }),
  })
}
