import { quoteName, quoteQualified } from '../quote.ts'
import type { TableObject } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import type { MissingKey, Place } from './steps.ts'

const NAME = '`(?:[^`]|``)+`'
const NAMES = `\\(${NAME}(?:, ${NAME})*\\)`
const KEY = new RegExp(
  `^ {2}CONSTRAINT (${NAME}) (FOREIGN KEY ${NAMES}) REFERENCES (${NAME}) (${NAMES}(?: ON (?:DELETE|UPDATE) [A-Z ]+)*)`,
  'gm',
)

/**
 * Foreign keys on tables of the same schema that are not among `names`. When their own table goes to another schema,
 * servers leave them where they were: on a table that would be in the old one.
 */
export function missingKeysOf({ createSql }: TableObject, names: ReadonlySet<string>): readonly MissingKey[] {
  return [...createSql.matchAll(KEY)].flatMap(([, name = '', columns = '', table = '', rest = '']) => {
    const key = { name: nameIn(name), columns, table: nameIn(table), rest }
    return names.has(key.table) ? [] : [key]
  })
}

/** Puts keys on the tables of `schema` that are missing, unless they are there already. */
export async function setKeys(
  session: Session,
  { schema: in_, name: table }: Place,
  schema: string,
  keys: readonly MissingKey[],
): Promise<void> {
  const altered = `ALTER TABLE ${quoteQualified(in_, table)}`
  // the only way to have a key on what is not there
  await session.query('SET SESSION foreign_key_checks = 0')
  try {
    for (const key of keys) {
      const towards = await schemaOf(session, in_, table, key.name)
      if (towards === schema) continue
      // a name cannot be given again in the statement that takes it
      if (towards !== null) await session.query(`${altered} DROP FOREIGN KEY ${quoteName(key.name)}`)
      const { columns, rest } = key
      const target = quoteQualified(schema, key.table)
      await session.query(
        `${altered} ADD CONSTRAINT ${quoteName(key.name)} ${columns} REFERENCES ${target} ${rest}`,
      )
    }
  } finally {
    await session.query('SET SESSION foreign_key_checks = 1').catch(() => {})
  }
}

/** Where a key's other table is or would be; null if there is no such key. */
async function schemaOf(
  session: Session,
  schema: string,
  table: string,
  name: string,
): Promise<string | null> {
  const [row] = await session.query<{ readonly towards: string }>(
    `SELECT UNIQUE_CONSTRAINT_SCHEMA AS towards FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? AND CONSTRAINT_NAME = ?`,
    [schema, table, name],
  )
  return row?.towards ?? null
}

function nameIn(quoted: string): string {
  return quoted.slice(1, -1).replaceAll('``', '`')
}
