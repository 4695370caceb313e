import { hasCode } from '@holdfast/core'
import type { Program } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'

/** The definers of programs, as the server keeps accounts. */
export interface Definers {
  readonly existing: readonly string[]
  readonly missing: readonly string[]
  /** False if the account may not see which accounts there are: then all count as existing. */
  readonly known: boolean
}

/** Which definers of programs there are. */
export async function findDefiners(session: Session, programs: readonly Program[]): Promise<Definers> {
  const named = [
    ...new Set(programs.flatMap(({ definer }) => (definer === null ? [] : [definer]))),
  ].toSorted()
  if (named.length === 0) return { existing: [], missing: [], known: true }
  const accounts = await listAccounts(session)
  if (accounts === null) return { existing: named, missing: [], known: false }
  const exists = (definer: string) => accounts.has(definer)
  return {
    existing: named.filter(exists),
    missing: named.filter((definer) => !exists(definer)),
    known: true,
  }
}

async function listAccounts(session: Session): Promise<ReadonlySet<string> | null> {
  try {
    const rows = await session.query<{ user: string; host: string }>(
      'SELECT user AS user, host AS host FROM mysql.user',
    )
    // a role of MariaDB has no host
    return new Set(rows.flatMap(({ user, host }) => (host === '' ? [user, `${user}@`] : [`${user}@${host}`])))
  } catch (error) {
    if (hasCode(error, 'DATABASE_ACCESS_DENIED')) return null
    throw error
  }
}
