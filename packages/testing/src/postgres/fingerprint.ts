import { toLines } from '../fingerprint.ts'
import { catalogEntries } from './catalog-entries.ts'
import { withSession } from './client.ts'
import { contentEntries } from './content-entries.ts'
import { databaseEntries, serverEntries } from './database-entries.ts'

/**
 * Everything in a database, as sorted lines made from its catalogs and its content: equal for equal databases,
 * whatever their names, their oids and the order of their rows. Needs a superuser, and PostgreSQL 14 or later.
 */
export async function postgresFingerprintOf(url: string): Promise<readonly string[]> {
  return await withSession(url, async (session) =>
    toLines([
      ...(await databaseEntries(session)),
      ...(await catalogEntries(session)),
      ...(await contentEntries(session)),
    ]),
  )
}

/** The same for what all databases of a server share: roles, memberships, tablespaces. */
export async function postgresServerFingerprintOf(url: string): Promise<readonly string[]> {
  return await withSession(url, async (session) => toLines(await serverEntries(session)))
}
