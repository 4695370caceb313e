import { AppError } from '@holdfast/core'
import { escapeIdentifier, escapeLiteral } from 'pg'
import type { Contents } from '../contents/contents-file.ts'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'
import { rightsOf } from './user-rights.ts'

/** How a database was made; all of it is fixed from then on. */
export type DatabaseTraits = Contents['database']

/** The first version that knows providers of locales for databases. */
const KNOWS_PROVIDERS = 150_000
const CREATED_WITHIN_MS = 10 * 60_000
/** What CREATE DATABASE answers to a locale, or a pair of locale and encoding, that the server does not have. */
const NO_SUCH_LOCALE = ['42809', '22023', '42P17']

/**
 * Creates an empty database that is like another one in all that cannot be changed later, and shut. Rejects with
 * RESTORE_NOT_POSSIBLE if the server has not the locale.
 */
export async function createDatabaseLike(
  session: Session,
  name: string,
  traits: DatabaseTraits,
): Promise<void> {
  const quoted = escapeIdentifier(name)
  const options = await optionsOf(session, traits)
  try {
    await session.query(`CREATE DATABASE ${quoted} ${options.join(' ')}`, [], { withinMs: CREATED_WITHIN_MS })
  } catch (error) {
    if (!NO_SUCH_LOCALE.includes(sqlStateOf(error) ?? '')) throw error
    throw new AppError('RESTORE_NOT_POSSIBLE', `the server has not ${localeOf(traits)}`, {
      hint: 'install the locale on the server, or restore into a server that has it',
      cause: error,
    })
  }
  await shut(session, name)
}

/**
 * Lets nobody in but superusers, if we are one; of others the limit would shut ourselves out. Privileges are not
 * touched: taking them away and giving them back would leave them other than they were.
 */
export async function shut(session: Session, name: string): Promise<void> {
  const { isSuperuser } = await rightsOf(session)
  if (isSuperuser) await session.query(`ALTER DATABASE ${escapeIdentifier(name)} CONNECTION LIMIT 0`)
}

/** In words, for an operator. */
export function localeOf({ encoding, collate, ctype, localeProvider, locale }: DatabaseTraits): string {
  const own = locale === null ? '' : ` ${locale},`
  const names = collate === ctype ? collate : `${collate} and ${ctype}`
  return `the locale of the source (${localeProvider},${own} ${names}, encoding ${encoding})`
}

async function optionsOf(session: Session, traits: DatabaseTraits): Promise<readonly string[]> {
  const { encoding, collate, ctype, localeProvider, locale, icuRules } = traits
  const hasProviders = session.serverVersion >= KNOWS_PROVIDERS
  return [
    'TEMPLATE template0',
    `ENCODING ${escapeLiteral(encoding)}`,
    `LC_COLLATE ${escapeLiteral(collate)}`,
    `LC_CTYPE ${escapeLiteral(ctype)}`,
    ...(hasProviders ? [`LOCALE_PROVIDER ${localeProvider}`] : []),
    ...(localeProvider === 'icu' && locale !== null ? [`ICU_LOCALE ${escapeLiteral(locale)}`] : []),
    ...(localeProvider === 'icu' && icuRules !== null ? [`ICU_RULES ${escapeLiteral(icuRules)}`] : []),
    ...(localeProvider === 'builtin' && locale !== null ? [`BUILTIN_LOCALE ${escapeLiteral(locale)}`] : []),
    ...(await tablespaceOption(session, traits)),
  ]
}

/** The source's if there is one of that name that the user may use; else the server's default. */
async function tablespaceOption(
  session: Session,
  { tablespace }: DatabaseTraits,
): Promise<readonly string[]> {
  const rows = await session.query(
    `SELECT FROM pg_tablespace WHERE spcname = $1 AND has_tablespace_privilege(oid, 'CREATE')`,
    [tablespace],
  )
  const isOrdinary = tablespace === 'pg_default' || rows.length === 0
  return isOrdinary ? [] : [`TABLESPACE ${escapeIdentifier(tablespace)}`]
}
