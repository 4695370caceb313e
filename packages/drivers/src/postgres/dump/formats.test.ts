import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { sha256OfFile } from '@holdfast/core'
import type { PostgresServer } from '@holdfast/testing'
import {
  fingerprintDifferences,
  never,
  postgresFingerprintOf,
  postgresServerFingerprintOf,
  rejectsWith,
  seedEverything,
  startPostgres,
} from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { compareSequences, compareTables } from '../contents/compare-contents.ts'
import { contentOf, DumpBench } from '../testing/dump-bench.ts'

let server: PostgresServer
let bench: DumpBench
let source: string

beforeAll(async () => {
  server = await startPostgres()
  bench = await DumpBench.make(server)
  source = await server.createDatabase()
  await seedEverything(source, { tablespaceDirectory: await server.makeDirectory('space') })
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await bench.sessions(), [])
})

describe('a dump of everything', () => {
  it.each(['custom', 'plain', 'directory', 'tar'])(
    'is whole in format %s, for plain tools to restore',
    async (format) => {
      const before = Date.now()
      const taken = await bench.dump(source, { format })
      const { summary, contents } = taken
      assert.equal((await stat(taken.file)).size, summary.sizeBytes)
      assert.equal((await sha256OfFile(taken.file, never)).sha256, summary.sha256)
      const at = Date.parse(summary.consistentAt)
      assert.ok(at >= before - 1 && at <= Date.now(), summary.consistentAt)

      const copy = await bench.restore(taken)
      const [was, is] = [await postgresFingerprintOf(source), await postgresFingerprintOf(copy)]
      assert.deepEqual(fingerprintDifferences(was, is), [])
      const found = await bench.contentsOf(copy)
      assert.ok(contents.digests)
      assert.deepEqual(compareTables(contents.digests, found.digests), { differences: [], warnings: [] })
      assert.deepEqual(compareSequences(contents.sequences, found.sequences), [])
      await bench.drop(copy)
    },
  )

  it('counts rows by table, and large objects, but no materialised views', async () => {
    const { summary, contents } = await bench.dump(source)
    const { rowCounts } = summary
    assert.equal(rowCounts['app.by_mood'], 120)
    assert.equal(rowCounts['app.no_columns'], 3)
    assert.equal(rowCounts['large objects'], 3)
    assert.equal(rowCounts['"ünï ☃"."日本語.""t"""'], 1)
    assert.equal(rowCounts['app.filled'], undefined)
    assert.equal(contents.digests?.tables['app.filled']?.derived, true)
    assert.equal(rowCounts['app.far_away'], undefined)
    assert.ok(Object.keys(rowCounts).every((key) => !key.startsWith('app.events_2')))
  })

  it('names what a restore must find', async () => {
    const { contents } = await bench.dump(source, { counting: 'off' })
    for (const role of ['hf owner', 'hf_reader', '-dash', 'it\'s "quoted" $(id)', server.superuser.name]) {
      assert.ok(contents.roles.includes(role), role)
    }
    const names = contents.extensions.map(({ name, schema }) => `${schema}.${name}`)
    assert.ok(names.includes('ext.hstore'), String(names))
    assert.deepEqual(contents.tablespaces, ['hf "space"'])
    assert.deepEqual(contents.languages, ['pl_other'])
    assert.ok(contents.superuserOnly.includes('event triggers'))
    assert.equal(contents.database.connectionLimit, 77)
    assert.equal(contents.digests, null)
    assert.equal(contents.sequences['app.called']?.before.lastValue, '44')
  })

  it('keeps settings and their secrets out of what is shown', async () => {
    const { summary } = await bench.dump(source, { counting: 'off' })
    const shown = JSON.stringify({ ...summary, attachments: [] })
    assert.ok(!shown.includes('work_mem') && !shown.includes('a \\"value\\"'), shown)
    assert.match(contentOf(summary.attachments, 'settings'), /"work_mem" TO '6MB'/)
  })

  it('estimates by statistics, or counts nothing, if that is asked for', async () => {
    await server.sql(new URL(source).pathname.slice(1), 'ANALYZE app.by_mood')
    const estimated = await bench.dump(source, { counting: 'estimate' })
    assert.equal(estimated.summary.counting, 'estimate')
    assert.equal(estimated.summary.rowCounts['app.by_mood'], 120)
    const uncounted = await bench.dump(source, { counting: 'off' })
    assert.deepEqual(uncounted.summary.rowCounts, {})
  })
})

describe('a dump of a database that is set to hide its damage', () => {
  it('says so', async () => {
    const url = await server.createDatabase()
    const database = new URL(url).pathname.slice(1)
    const warned = async () =>
      (await bench.dump(url)).summary.warnings.filter((text) => text.includes('is on'))
    assert.deepEqual(await warned(), [])
    await server.sql('postgres', `ALTER DATABASE "${database}" SET zero_damaged_pages = on`)
    assert.match((await warned()).join(), /^zero_damaged_pages is on/)
  })
})

describe('globals', () => {
  it('bring roles and tablespaces to another server, whatever the database is set to', async () => {
    const { summary } = await bench.dump(source, { counting: 'off', globals: 'with-passwords' })
    const script = contentOf(summary.attachments, 'globals')
    assert.match(script, /SCRAM-SHA-256/)
    const other = await startPostgres()
    try {
      const space = await other.makeDirectory('space')
      const elsewhere = script
        .replace(/LOCATION '[^']*'/, `LOCATION '${space}'`)
        .replace(/^CREATE ROLE holdfast;$/m, '')
      await bench.psql(other.url, ['-f', await bench.write(elsewhere)])
      const was = await postgresServerFingerprintOf(server.url)
      // the superusers of both have one name, and now one password
      const is = await postgresServerFingerprintOf(other.urlOf('postgres', server.superuser))
      const isOurs = (line: string) => !line.includes(server.superuser.name) && !line.includes('LOCATION')
      assert.deepEqual(fingerprintDifferences(was.filter(isOurs), is.filter(isOurs)), [])
    } finally {
      await other.stop()
    }
  })

  it('come without passwords if that is asked for', async () => {
    const { summary } = await bench.dump(source, { counting: 'off', globals: 'without-passwords' })
    const script = contentOf(summary.attachments, 'globals')
    assert.match(script, /CREATE ROLE hf_reader/)
    assert.doesNotMatch(script, /SCRAM|PASSWORD/)
  })

  it('are refused with a hint to who may not read passwords', async () => {
    const role = await server.createRole()
    const url = await server.createDatabase()
    const mine = server.urlOf(new URL(url).pathname.slice(1), role)
    const refusal = await rejectsWith(
      'DATABASE_ACCESS_DENIED',
      bench.dump(mine, { globals: 'with-passwords' }),
    )
    assert.match(refusal.hint ?? '', /without-passwords/)
    const { summary } = await bench.dump(mine, { globals: 'without-passwords' })
    assert.match(contentOf(summary.attachments, 'globals'), /CREATE ROLE/)
  })
})
