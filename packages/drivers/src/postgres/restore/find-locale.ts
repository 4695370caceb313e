import { escapeLiteral } from 'pg'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'
import type { DatabaseTraits } from './create-database.ts'
import { localeOf } from './create-database.ts'
import type { Findings } from './missing-objects.ts'
import { NOTHING_FOUND } from './missing-objects.ts'

/** Every server has these, in every encoding. */
const ALWAYS_THERE = ['C', 'POSIX']
/** The server does not have the locale, or was built without its provider. */
const NOT_THERE = ['22023', '0A000', '42704', '42P17']
const KNOWS_BUILTIN = 170_000
const KNOWS_ICU = 150_000

/** Whether a database of that encoding and locale can be made, as far as the server tells without making one. */
export async function findLocale(session: Session, traits: DatabaseTraits): Promise<Findings> {
  const { encoding, localeProvider } = traits
  const [known] = await session.query<{ readonly isKnown: boolean; readonly here: string }>(
    'SELECT pg_char_to_encoding($1) >= 0 AS "isKnown", getdatabaseencoding() AS here',
    [encoding],
  )
  if (known?.isKnown !== true) return problem(`the server does not know the encoding ${encoding}`)
  const { serverVersion } = session
  if (localeProvider === 'builtin' && serverVersion < KNOWS_BUILTIN)
    return problem(`the server has not ${localeOf(traits)}`)
  if (localeProvider === 'icu' && serverVersion < KNOWS_ICU)
    return problem(`the server has not ${localeOf(traits)}`)
  if (await hasCollations(session, traits)) return NOTHING_FOUND
  // in a database of another encoding the question itself can be what was refused
  if (known.here === encoding) return problem(`the server has not ${localeOf(traits)}`)
  return { ...NOTHING_FOUND, warnings: [`whether the server has ${localeOf(traits)} will be seen`] }
}

/** Makes collations in a transaction that is taken back: only trying tells which the system has. */
async function hasCollations(session: Session, traits: DatabaseTraits): Promise<boolean> {
  const { collate, ctype, localeProvider, locale } = traits
  const isOrdinary = ALWAYS_THERE.includes(collate) && ALWAYS_THERE.includes(ctype)
  const made = [
    ...(isOrdinary ? [] : [`lc_collate = ${escapeLiteral(collate)}, lc_ctype = ${escapeLiteral(ctype)}`]),
    ...(localeProvider === 'icu' && locale !== null
      ? [`provider = icu, locale = ${escapeLiteral(locale)}`]
      : []),
  ]
  if (made.length === 0) return true
  await session.query('BEGIN')
  try {
    for (const [at, options] of made.entries()) {
      await session.query(`CREATE COLLATION pg_temp.holdfast_${at} (${options})`)
    }
    return true
  } catch (error) {
    if (session.lost.aborted) throw error
    // without the right to make temporary objects nothing is known, and nothing is said against it
    return !NOT_THERE.includes(sqlStateOf(error) ?? '')
  } finally {
    await session.query('ROLLBACK')
  }
}

function problem(text: string): Findings {
  return {
    problems: [text],
    hints: ['install the locale on the server, or restore into one that has it'],
    warnings: [],
  }
}
