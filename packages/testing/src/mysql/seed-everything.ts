import { readdir, readFile } from 'node:fs/promises'
import { mysqlName, mysqlSchemaOf, withMysqlClient } from './client.ts'

const SCRIPTS = new URL('./fixture/', import.meta.url)
const OUTSIDE = /outside-of-snapshots/

/** What is in a schema beyond what a dump of one moment keeps. */
export interface MysqlEverythingOptions {
  /** Adds tables of engines without transactions. */
  readonly outsideOfSnapshots?: boolean
}

/**
 * Fills an empty schema of MariaDB with everything that schemas are made of, as far as a dump with the right flags keeps
 * it. Makes the accounts on its server that programs belong to. Needs an administrator.
 */
export async function seedMysqlEverything(url: string, options: MysqlEverythingOptions = {}): Promise<void> {
  const { outsideOfSnapshots = false } = options
  const scripts = (await readdir(SCRIPTS))
    .filter((name) => outsideOfSnapshots || !OUTSIDE.test(name))
    .toSorted()
  await withMysqlClient(url, async (client) => {
    await client.query(
      `ALTER DATABASE ${mysqlName(mysqlSchemaOf(url))} CHARACTER SET latin1 COLLATE latin1_german1_ci COMMENT 'all it''s made of'`,
    )
    for (const script of scripts) await client.query(await readFile(new URL(script, SCRIPTS), 'utf8'))
  })
}

/** The accounts alone that programs of such a schema belong to. */
export async function seedMysqlAccounts(url: string): Promise<void> {
  await withMysqlClient(url, async (client) => {
    await client.query(await readFile(new URL('00-accounts.sql', SCRIPTS), 'utf8'))
  })
}
