import { AppError } from '@holdfast/core'
import { errnoOf } from '../failure.ts'
import { quoteQualified } from '../quote.ts'
import type { Session } from '../session.ts'
import { someOf } from './describe-names.ts'
import { REPAIR } from './dump-failure.ts'

/** What selects from what is not there, or may not be selected from by its definer. */
const INVALID = [1356, 1146, 1054, 1305, 1449]

/** The views that nobody can select from, and that a dump program would stop at: it asks the same. */
export async function findInvalidViews(
  session: Session,
  schema: string,
  views: readonly string[],
): Promise<readonly string[]> {
  const invalid: string[] = []
  for (const view of views) {
    try {
      await session.query(`SHOW FIELDS FROM ${quoteQualified(schema, view)}`)
    } catch (error) {
      if (!INVALID.includes(errnoOf(error) ?? 0)) throw error
      invalid.push(view)
    }
  }
  return invalid
}

/** Rejects with DATABASE_INVALID, naming the views, if there are any. */
export async function requireValidViews(
  session: Session,
  schema: string,
  views: readonly string[],
): Promise<void> {
  const invalid = await findInvalidViews(session, schema, views)
  if (invalid.length === 0) return
  const what = invalid.length === 1 ? 'a view is invalid' : `${invalid.length} views are invalid`
  throw new AppError('DATABASE_INVALID', `${what}: ${someOf(invalid)}`, { hint: REPAIR })
}
