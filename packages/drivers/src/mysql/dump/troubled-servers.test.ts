import assert from 'node:assert/strict'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import type { Trouble } from '../../client-server/testing/fails-in-time.ts'
import { failsInTime } from '../../client-server/testing/fails-in-time.ts'
import { GatedSink } from '../../client-server/testing/gated-sink.ts'
import { lockOf } from '../tag.ts'
import type { DumpChange } from '../testing/dump-bench.ts'
import { argumentsOf, DumpBench, dumpPrograms, schemaOf } from '../testing/dump-bench.ts'
import { otherTools } from '../testing/other-tools.ts'

/** More than pipes and sockets between the server and a sink can hold. */
const ROWS = 150_000
const CANARY = 'c4n4ry-"\'#\\; pass'

let server: MariadbServer
let bench: DumpBench
let url: string

beforeAll(async () => {
  server = await startMariadb()
  bench = await DumpBench.make(server)
  const account = await server.createAccount({ password: CANARY, grants: ['ALL ON *.*'] })
  const schema = schemaOf(await server.createDatabase())
  await server.sql(
    schema,
    `CREATE TABLE large (id int PRIMARY KEY, text varchar(200));
     INSERT INTO large SELECT seq, CONCAT(MD5(seq), REPEAT('x', 100)) FROM seq_1_to_${ROWS};
     CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small VALUES (1)`,
  )
  url = server.urlOf(schema, account)
})

afterAll(async () => {
  await bench?.remove()
  await server?.stop()
})

afterEach(async () => {
  assert.deepEqual(await dumpPrograms(), [])
  // a server that was frozen or halted in between needs longer
  assert.deepEqual(await bench.lingering(), [])
})

async function fails(trouble: Trouble & { readonly change?: DumpChange }, from = url): Promise<Error> {
  const { change, ...expected } = trouble
  const failure = await failsInTime(expected, (into) => bench.dump(from, { into, ...change }))
  assert.ok(!saysAll(failure).includes('c4n4ry'), saysAll(failure))
  return failure
}

function saysAll(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.message} ${error.stack ?? ''} ${JSON.stringify(error)} ${error.cause === undefined ? '' : saysAll(error.cause)}`
}

async function endSessions(condition: string): Promise<void> {
  const rows = await server.sql(
    null,
    `SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND ${condition}`,
  )
  assert.notEqual(rows.length, 0)
  for (const { id } of rows) await server.sql(null, `KILL CONNECTION ${String(id)}`).catch(() => {})
}

describe('a dump fails in bounded time and leaves nothing', () => {
  it('when its program is killed while nothing flows any more', async () => {
    const failure = await fails({
      ...{ code: 'TOOL_FAILED', withinMs: 5_000 },
      cause: async () => {
        for (const pid of await dumpPrograms()) {
          assert.ok(!(await argumentsOf(pid)).some((argument) => argument.includes('c4n4ry')))
          process.kill(pid, 'SIGKILL')
        }
      },
    })
    assert.match(failure.message, /SIGKILL/)
  })

  it('when an administrator ends the session of its program', async () => {
    await fails({
      ...{ code: 'TARGET_UNREACHABLE', withinMs: 5_000 },
      cause: async (sink) => {
        await endSessions("info LIKE 'SELECT /*!40001%'")
        sink.open()
      },
    })
  })

  it('when an administrator ends our own sessions', async () => {
    await fails({
      ...{ code: 'TARGET_UNREACHABLE', withinMs: 5_000 },
      cause: () => endSessions("(info IS NULL OR info NOT LIKE 'SELECT /*!40001%')"),
    })
  })

  it('when the server is shut down', async () => {
    try {
      await fails({ code: 'TARGET_UNREACHABLE', withinMs: 10_000, cause: () => server.halt() })
    } finally {
      await server.resume()
    }
  })

  it('when the server stands still', async () => {
    try {
      await fails({ code: 'TARGET_UNREACHABLE', withinMs: 10_000, cause: () => server.freeze() })
    } finally {
      await server.thaw()
    }
  })

  it('when the sink fails', async () => {
    const into = new GatedSink()
    const failing = assert.rejects(bench.dump(url, { into }), /no more space/)
    await into.reached
    into.destroy(new Error('no more space'))
    await failing
  })

  it('when it is cancelled while the sink takes no more', async () => {
    const cancel = new AbortController()
    const change = { signal: cancel.signal }
    await fails({ code: 'CANCELLED', withinMs: 5_000, change, cause: async () => cancel.abort() })
  })

  it('when it is cancelled at any moment', async () => {
    for (const afterMs of [0, 20, 60, 120, 200, 300]) {
      const into = new GatedSink()
      await rejectsWith('CANCELLED', bench.dump(url, { signal: AbortSignal.timeout(afterMs), into }))
    }
  })

  it.each([
    ['prints no last line', 'exec "$real" "$@" | sed \'$d\'', /does not end/],
    ['prints nothing', 'exit 0', /does not end/],
    ['prints nothing and fails', 'exit 5', /exited with 5/],
    [
      'does not know an option',
      `echo "mysqldump: unknown option '--dump-date'" >&2; exit 7`,
      /does not know the option dump-date/,
    ],
  ])('when its program %s', async (_how, script, message) => {
    const toolbox = await otherTools(bench, script)
    const failing = bench.dump(url, { toolbox, counting: 'off' })
    const failure = await failing.then(
      () => assert.fail('it succeeded'),
      (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
    )
    assert.match(failure.message, message)
  })
})

describe('a definition that changes during a dump', () => {
  async function changing(change: string): Promise<Error> {
    const other = await server.createDatabase()
    const schema = schemaOf(other)
    await server.sql(
      schema,
      `CREATE TABLE a_large AS SELECT * FROM ${'`'}${schemaOf(url)}${'`'}.large;
       CREATE TABLE z (id int PRIMARY KEY); INSERT INTO z VALUES (1);
       CREATE PROCEDURE p() SELECT 1`,
    )
    const into = new GatedSink()
    const failing = rejectsWith('DATABASE_CHANGED', bench.dump(other, { into, counting: 'off' }))
    await Promise.race([into.reached, failing])
    await server.sql(schema, change)
    into.open()
    return await failing
  }

  it.each([
    ['a column is added', 'ALTER TABLE z ADD COLUMN b int DEFAULT 5', /table/],
    ['a table is emptied', 'TRUNCATE z', /table/],
    ['a table is dropped', 'DROP TABLE z', /`z`|\bz\b/],
    ['a table is renamed', 'RENAME TABLE z TO zz', /`z`|\bz\b/],
    ['a procedure is replaced', 'CREATE OR REPLACE PROCEDURE p() SELECT 2', /procedure p/],
    ['a view is added', 'CREATE VIEW v AS SELECT 1 AS one', /view v/],
  ])('fails it: %s', async (_how, change, message) => {
    const failure = await changing(change)
    assert.match(failure.message, message)
  })

  it('does not fail it if a table is new, or only rows are', async () => {
    const other = await server.createDatabase()
    const schema = schemaOf(other)
    await server.sql(
      schema,
      `CREATE TABLE a_large AS SELECT * FROM ${'`'}${schemaOf(url)}${'`'}.large;
       CREATE TABLE z (id int AUTO_INCREMENT PRIMARY KEY); INSERT INTO z VALUES (1)`,
    )
    const into = new GatedSink()
    const dumping = bench.dump(other, { into, counting: 'off' })
    await into.reached
    await server.sql(schema, 'INSERT INTO z VALUES (), (); CREATE TABLE zz (id int)')
    into.open()
    assert.equal((await dumping).contents.tables.length, 2)
  })
})

describe('a dump', () => {
  it('ends what an earlier attempt at the same operation has left', async () => {
    const operationId = bench.newOperationId()
    const left = await server.hold(null, `SELECT GET_LOCK('${lockOf(operationId)}', 0)`)
    const { summary } = await bench.dump(url, { operationId })
    assert.equal(summary.rowCounts.large, ROWS)
    await left.release()
  })

  it.each(['exact', 'off'] as const)(
    'does not wait for ever for a table that another session has locked, counting %s',
    async (counting) => {
      const held = await server.hold(schemaOf(url), 'LOCK TABLES small WRITE')
      try {
        const failing = bench.dump(`${url}?lock_timeout=1000`, { counting })
        assert.match((await rejectsWith('DATABASE_LOCKED', failing)).message, /holds a lock/)
      } finally {
        await held.release()
      }
    },
  )
})
