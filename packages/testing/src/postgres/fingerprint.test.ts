import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintDifferences } from '../fingerprint.ts'
import { toLine } from '../fingerprint-line.ts'
import type { PostgresServer } from '../servers/postgres.ts'
import { startPostgres } from '../servers/postgres.ts'
import { catalogQueries, entriesOf } from './catalog-entries.ts'
import { databaseOf, openClient, sessionOf } from './client.ts'
import { contentEntries } from './content-entries.ts'
import { postgresFingerprintOf, postgresServerFingerprintOf } from './fingerprint.ts'
import { seedEncodedText } from './sample.ts'
import { seedDatabaseProperties, seedEverything, seedServer } from './seed-everything.ts'

describe('the fingerprint of a database', () => {
  let server: PostgresServer
  let original: readonly string[]

  beforeAll(async () => {
    server = await startPostgres({ settings: { wal_level: 'logical' } })
    await server.createDatabase('everything')
    const tablespaceDirectory = await server.makeDirectory('space')
    await seedEverything(server.urlOf('everything'), { tablespaceDirectory })
    await server.sql('postgres', `CREATE TABLESPACE other LOCATION '${await server.makeDirectory('other')}'`)
    original = await postgresFingerprintOf(server.urlOf('everything'))
  })
  afterAll(() => server.stop())

  /** A copy made by the server itself, page for page; what is not in the database is not copied with it. */
  const copy = async () => {
    const url = await server.createDatabase(undefined, 'TEMPLATE everything')
    await seedDatabaseProperties(url)
    return { url, name: new URL(url).pathname.slice(1) }
  }

  it('is that of a copy under another name', async () => {
    const { url } = await copy()
    expect(await postgresFingerprintOf(url)).toEqual(original)
  })

  it.each(['--format=custom', '--format=plain'])(
    'is that of what pg_dump %s has restored elsewhere',
    async (format) => {
      const other = await startPostgres({ settings: { wal_level: 'logical' } })
      try {
        const tablespaceDirectory = await other.makeDirectory('space')
        await seedServer(other.url, { tablespaceDirectory })
        const url = await other.createDatabase('else where', 'TEMPLATE template0')
        await dumpAndRestore(format, server, 'everything', other, 'else where')
        await seedDatabaseProperties(url)
        expect(fingerprintDifferences(original, await postgresFingerprintOf(url))).toEqual([])
      } finally {
        await other.stop()
      }
    },
  )

  // the half of the fingerprint that can know is enough, and takes half the time
  it('knows a subscription', async () => {
    const url = await server.createDatabase('subscribed', 'TEMPLATE template0')
    await seedEverything(url, { subscription: true })
    const copy = await server.createDatabase('subscribed too', 'TEMPLATE template0')
    await dumpAndRestore('--format=custom', server, 'subscribed', server, 'subscribed too')
    await seedDatabaseProperties(copy)
    const before = await postgresFingerprintOf(url)
    expect(before.join('\n')).toContain('pg_subscription')
    expect(fingerprintDifferences(before, await postgresFingerprintOf(copy))).toEqual([])
  })

  it.each(['LATIN1', 'SQL_ASCII'])('knows every byte of text in %s', async (encoding) => {
    const name = `encoded in ${encoding}`
    const options = `TEMPLATE template0 LOCALE 'C' ENCODING '${encoding}'`
    const url = await server.createDatabase(name, options)
    await seedEncodedText(url)
    const before = await postgresFingerprintOf(url)
    const other = await server.createDatabase(undefined, options)
    await dumpAndRestore('--format=custom', server, name, server, databaseOf(other))
    expect(fingerprintDifferences(before, await postgresFingerprintOf(other))).toEqual([])
    const unlike = `convert_from('\\x63616666e8', '${encoding}')`
    const named = ['rows encoded.words', 'comment table encoded.words']
    await server.sql(name, `UPDATE encoded.words SET content = ${unlike} WHERE id = 1`)
    await server.sql(
      name,
      `DO $$ BEGIN EXECUTE format('COMMENT ON TABLE encoded.words IS %L', ${unlike}); END $$`,
    )
    const found = fingerprintDifferences(before, await postgresFingerprintOf(url)).join('\n')
    for (const kind of named) expect(found).toContain(kind)
  })

  /** A database in which one thing after another is changed, and never for long. */
  const whileChanged = async (client: pg.Client, change: string, look: () => Promise<void>) => {
    await client.query('BEGIN')
    try {
      await client.query(change)
      await look()
    } finally {
      await client.query('ROLLBACK')
    }
  }

  describe('with one of its values changed', () => {
    let client: pg.Client
    let before: readonly string[]

    beforeAll(async () => {
      client = await openClient((await copy()).url)
      before = (await contentEntries(sessionOf(client))).map(toLine)
    })
    afterAll(() => client.end())

    it.each(changesOf('values'))('is another: %s', (_, change, named) =>
      whileChanged(client, change, async () => {
        const after = (await contentEntries(sessionOf(client))).map(toLine)
        expect(fingerprintDifferences(before, after).join('\n')).toContain(named)
      }),
    )
  })

  describe.each(['tables', 'code', 'access'])('with one of its %s changed', (group) => {
    let client: pg.Client
    let queries: ReadonlyMap<string, string>
    const before = new Map<string, readonly string[]>()
    const linesOf = async (kind: string, query: string) =>
      (await entriesOf(sessionOf(client), kind, query)).map(toLine)

    beforeAll(async () => {
      client = await openClient((await copy()).url)
      queries = await catalogQueries(sessionOf(client))
      for (const [kind, query] of queries) before.set(kind, await linesOf(kind, query))
    })
    afterAll(() => client.end())

    // to look further than where the difference is found would take a hundred times as long
    it.each(changesOf(group))('is another: %s', (_, change, named) =>
      whileChanged(client, change, async () => {
        const found: string[] = []
        for (const [kind, query] of likeliestFirst(queries, named)) {
          found.push(...fingerprintDifferences(before.get(kind) ?? [], await linesOf(kind, query)))
          if (found.some((difference) => difference.includes(named))) break
        }
        expect(found.join('\n')).toContain(named)
      }),
    )
  })

  it.each([...changesOf('sequences'), ...changesOf('database')])(
    'changes with %s',
    async (_, change, named) => {
      const { url, name } = await copy()
      const isInside = !change.includes('$DATABASE')
      await server.sql(isInside ? name : 'postgres', change.replaceAll('$DATABASE', name))
      const differences = fingerprintDifferences(original, await postgresFingerprintOf(url))
      expect(differences.join('\n')).toContain(named)
    },
  )

  it.each([
    `ENCODING 'LATIN1' LOCALE 'C'`,
    `LOCALE 'C.UTF-8'`,
    `LOCALE_PROVIDER icu ICU_LOCALE 'de' LOCALE 'C.UTF-8'`,
  ])('differs for an empty database with %s', async (options) => {
    const plain = await server.createDatabase(undefined, 'TEMPLATE template0')
    const other = await server.createDatabase(undefined, `TEMPLATE template0 ${options}`)
    const found = [await postgresFingerprintOf(plain), await postgresFingerprintOf(other)] as const
    expect(fingerprintDifferences(...found)).not.toEqual([])
  })
})

describe('the fingerprint of a server', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
    await seedServer(server.url, { tablespaceDirectory: await server.makeDirectory('space') })
  })
  afterAll(() => server.stop())

  it.each(changesOf('server'))('changes with %s', async (_, change, named) => {
    const before = await postgresServerFingerprintOf(server.url)
    await server.sql('postgres', change)
    const after = await postgresServerFingerprintOf(server.url)
    expect(fingerprintDifferences(before, after).join('\n')).toContain(named)
  })
})

/** What is changed, how, and what the differences must name: one thing each, that a tool could lose. */
function changesOf(group: string): readonly (readonly [what: string, sql: string, named: string])[] {
  const text = readFileSync(new URL(`./changes/${group}.sql`, import.meta.url), 'utf8')
  return text.split(/^-- /m).flatMap((part) => {
    const [, what, named, sql] = /^([^\n]*) => ([^\n]*)\n(.*)$/s.exec(part) ?? []
    return what === undefined || named === undefined || sql === undefined ? [] : [[what, sql, named]]
  })
}

/** Queries of the kind that a difference names come first, and those of the facts. */
function likeliestFirst(
  queries: ReadonlyMap<string, string>,
  named: string,
): readonly (readonly [kind: string, query: string])[] {
  const likelihood = ([kind, query]: readonly [string, string]) =>
    Number(`${named} `.startsWith(`${kind} `)) * 2 + Number(query.includes(`'${named}'`))
  return [...queries].toSorted((one, other) => likelihood(other) - likelihood(one))
}

async function dumpAndRestore(
  format: string,
  from: PostgresServer,
  source: string,
  to: PostgresServer,
  destination: string,
): Promise<void> {
  const file = join(from.directory, 'dump')
  const at = (server: PostgresServer) => ({ env: { ...process.env, PGPASSWORD: server.superuser.password } })
  const where = (server: PostgresServer, database: string) => [
    `--host=${server.directory}`,
    `--port=${server.port}`,
    `--username=${server.superuser.name}`,
    `--dbname=${database}`,
  ]
  const run = promisify(execFile)
  await run(from.programs.pg_dump, [...where(from, source), format, `--file=${file}`], at(from))
  if (format === '--format=plain') {
    const options = [
      '--no-psqlrc',
      '--quiet',
      '--set=ON_ERROR_STOP=1',
      `--file=${file}`,
      '--output=/dev/null',
    ]
    await run(to.programs.psql, [...where(to, destination), ...options], at(to))
    return
  }
  await run(to.programs.pg_restore, [...where(to, destination), '--exit-on-error', file], at(to))
}
