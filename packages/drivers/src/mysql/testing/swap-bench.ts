import { randomUUID } from 'node:crypto'
import type { MariadbServer } from '@holdfast/testing'
import { mysqlFingerprintOf, mysqlName, mysqlSchemaOf } from '@holdfast/testing'
import type { MysqlParts } from '../mysql-parts.ts'
import { mysqlLockKey, parseMysqlUrl } from '../mysql-url.ts'
import { ownName } from '../own-names.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { createOwnSchema } from '../swap/own-schema.ts'
import { sealStaged } from '../swap/seal-staged.ts'
import type { Found } from '../swap/tickets.ts'
import { partsFor } from './swap-parts.ts'

/** SQL that fills a schema; what is in `events` is left out of shadows. */
export interface Filling {
  /** Options of CREATE DATABASE. */
  readonly options?: string
  readonly sql: string
  readonly events?: string
}

/** A schema that waits for its swap. */
export interface StagedForTest {
  readonly operationId: string
  readonly ticket: string
  /** Of what the swap is to bring. */
  readonly fingerprint: readonly string[]
}

/** Schemas on a private server that are exchanged without a dump having been loaded. */
export class SwapBench {
  readonly server: MariadbServer
  #made = 0

  constructor(server: MariadbServer) {
    this.server = server
  }

  /** Makes a schema and fills it. Returns its URL. */
  async fill(filling: Filling, name = this.newName()): Promise<string> {
    const url = await this.server.createDatabase(name, filling.options)
    await this.server.sql(name, filling.sql)
    if (filling.events !== undefined) await this.server.sql(name, filling.events)
    return url
  }

  newName(): string {
    this.#made += 1
    return `shop ${this.#made}`
  }

  /** Lays down what staging would lay down for a restore of such a schema. */
  async stage(url: string, filling: Filling, found: Found = 'data'): Promise<StagedForTest> {
    const source = await this.fill(filling)
    const fingerprint = await mysqlFingerprintOf(source)
    const operationId = randomUUID()
    const eventsFrom = mysqlSchemaOf(source)
    const ticket = await this.withSession(async (session) => {
      const contents = await readSchema(session, eventsFrom)
      const shadow = ownName('new', operationId)
      await createOwnSchema(session, shadow, { operationId, token: randomUUID() }, contents)
      await this.server.sql(shadow, filling.sql)
      const events = contents.programs.filter(({ kind }) => kind === 'event')
      const place = mysqlLockKey(parseMysqlUrl(url))
      return sealStaged(session, { operationId, place, found, events, eventsFrom, definer: 'keep' })
    })
    await this.server.sql(null, `DROP DATABASE ${mysqlName(eventsFrom)}`)
    return { operationId, ticket, fingerprint }
  }

  parts(url: string): MysqlParts {
    return partsFor(url)
  }

  fingerprint(url: string): Promise<readonly string[]> {
    return mysqlFingerprintOf(url)
  }

  /** Schemas with our names. */
  async leftovers(): Promise<readonly string[]> {
    const rows = await this.server.sql(null, "SHOW DATABASES LIKE 'holdfast\\_%'")
    return rows.map((row) => String(Object.values(row)[0]))
  }

  async withSession<Result>(work: (session: Session) => Promise<Result>): Promise<Result> {
    const signal = new AbortController().signal
    const session = await openSession(parseMysqlUrl(this.server.url), { schema: null, signal })
    try {
      return await work(session)
    } finally {
      await session.close()
    }
  }
}
