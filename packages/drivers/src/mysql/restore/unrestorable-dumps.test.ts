import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { AppError } from '@holdfast/core'
import type { MariadbServer } from '@holdfast/testing'
import { rejectsWith, startMariadb } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { waitUntil } from '../../client-server/testing/waiting.ts'
import type { Taken } from '../testing/dump-bench.ts'
import { RestoreBench } from '../testing/restore-bench.ts'

let server: MariadbServer
let bench: RestoreBench
let live: string
let taken: Taken
let before: unknown

beforeAll(async () => {
  server = await startMariadb()
  bench = await RestoreBench.make(server)
  live = await bench.database(
    'CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE VIEW v AS SELECT a FROM t',
    'live',
  )
  taken = await bench.dumpOf(`
    CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'x'), (2, 'y'); CREATE SEQUENCE s;
    CREATE VIEW v AS SELECT a FROM t; CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1;
    CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET new.a = new.a`)
  before = await stateOfLive()
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})
afterEach(async () => {
  assert.deepEqual(await stateOfLive(), before)
  assert.deepEqual(await bench.own(), [])
  await waitUntil(async () => (await bench.dumps.sessions()).length === 0)
})

async function stateOfLive(): Promise<unknown> {
  const variables = await server.sql(null, "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE '%gtid%'")
  const objects = await server.sql(
    null,
    `SELECT TABLE_NAME, TABLE_TYPE, CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'live' UNION ALL
     SELECT ROUTINE_NAME, ROUTINE_TYPE, CREATED FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'live' UNION ALL
     SELECT TRIGGER_NAME, 'TRIGGER', CREATED FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'live' UNION ALL
     SELECT EVENT_NAME, 'EVENT', CREATED FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'live' ORDER BY 1`,
  )
  return [
    await server.sql('live', 'SELECT * FROM t ORDER BY a'),
    objects,
    variables,
    await bench.dumps.countsOf(live),
  ]
}

const INTO_LIVE = 'INSERT INTO `live`.`t` VALUES (9);\n'
const BEFORE_ROWS = /(?=INSERT INTO `t`)/
const BEFORE_END = /(?=\n-- Dump completed)/

describe('a dump that somebody has made so', () => {
  it.each([
    ['changes the schema that it writes to', BEFORE_ROWS, 'USE live;\nINSERT INTO t VALUES (9);\n'],
    ['writes into another schema', BEFORE_ROWS, INTO_LIVE],
    ['does so at its end', BEFORE_END, INTO_LIVE],
    [
      'does so behind a comment that is none',
      BEFORE_ROWS,
      `-- x\n/*!50000 ${INTO_LIVE.trim().replace(';', '')} */;\n`,
    ],
    ['does so in a line of rows', BEFORE_ROWS, `INSERT INTO \`t\` VALUES (8,'\\\\');${INTO_LIVE}`],
    [
      'does so in a program',
      BEFORE_END,
      `\nDELIMITER ;;\nCREATE FUNCTION \`g\`() RETURNS int RETURN 1;${INTO_LIVE};;\nDELIMITER ;\n`,
    ],
    [
      'has a trigger of another schema',
      BEFORE_END,
      '\nDELIMITER ;;\nCREATE TRIGGER live.tr BEFORE INSERT ON live.t FOR EACH ROW SET @x = 1 ;;\nDELIMITER ;\n',
    ],
    ['has an event', BEFORE_END, '\nCREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO DELETE FROM live.t;\n'],
    ['changes the server', BEFORE_ROWS, 'SET GLOBAL event_scheduler = ON;\n'],
    ['runs a program', BEFORE_ROWS, '\\! touch /tmp/holdfast-was-here\n'],
  ])('is refused: one that %s', async (_what, at, text) => {
    const changed = await bench.changed(taken, (dump) => dump.replace(at, text.replaceAll('$', '$$$$')))
    const error = await rejectsWith('ARTIFACT_CORRUPT', bench.stage(changed, live))
    assert.ok(!/INSERT|live/.test(error.message), error.message)
  })

  it.each([
    ['has other rows', (dump: string) => dump.replace("(1,'x')", "(1,'z')"), /table t has other contents/],
    ['lacks a row', (dump: string) => dump.replace("(1,'x'),\n", ''), /table t has 1 rows, the source had 2/],
    [
      'has another table',
      (dump: string) => dump.replace('`b` text', '`b` longtext'),
      /table t is defined in another way/,
    ],
    [
      'lacks a view',
      (dump: string) => dump.replace(/\/\*!50001 CREATE ALGORITHM[\s\S]*?;\n/, ''),
      /view v is missing/,
    ],
    [
      'lacks a table',
      (dump: string) => dump.replace(/CREATE SEQUENCE[\s\S]*?SETVAL.*\n/, ''),
      /sequence s is missing/,
    ],
    [
      'has another program',
      (dump: string) => dump.replace('RETURN 1', 'RETURN 2'),
      /function f is not the one/,
    ],
  ])('is refused: one that %s', async (_what, change, told) => {
    const changed = await bench.changed(taken, change)
    const failure = await bench.stage(changed, live).catch((error: unknown) => error)
    assert.ok(failure instanceof AppError)
    assert.ok(['ARTIFACT_CORRUPT', 'VERIFICATION_FAILED'].includes(failure.code), failure.code)
    assert.match(failure.message, told)
  })

  it('is refused where it was cut between two statements, with its end put back', async () => {
    const text = await readFile(taken.file, 'latin1')
    // behind the last view there is nothing but settings that are given back
    const last = text.lastIndexOf(' VIEW ')
    const boundaries = [...text.matchAll(/;\n/g)]
      .map(({ index }) => index + 2)
      .filter((boundary, at) => at % 9 === 0 && boundary < last)
    for (const cut of boundaries) {
      const end = text.slice(text.indexOf('\n-- Dump completed'))
      const changed = await bench.changed(taken, (dump) => dump.slice(0, cut) + end)
      const failure = await bench.stage(changed, live).catch((error: unknown) => error)
      assert.ok(failure instanceof AppError, `cut at ${cut}`)
      assert.ok(['ARTIFACT_CORRUPT', 'VERIFICATION_FAILED'].includes(failure.code), failure.code)
    }
  })
})

async function* refusing(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
  throw new AppError('ARTIFACT_CORRUPT', 'another hash')
}

describe('a dump whose bytes are not the expected ones', () => {
  it('is refused before anything is created, whatever is wrong', async () => {
    const bytes = await readFile(taken.file)
    const sources: readonly (readonly [string, () => Readable])[] = [
      ['shorter', () => Readable.from([bytes.subarray(0, -1)])],
      ['longer', () => Readable.from([bytes, Buffer.from('\n')])],
      ['none', () => Readable.from([])],
      ['with another hash', () => Readable.from(refusing(bytes))],
    ]
    for (const [what, source] of sources) {
      const creating = server.sql(null, "SHOW GLOBAL STATUS LIKE 'Com_create_db'")
      await rejectsWith('ARTIFACT_CORRUPT', bench.stage(taken, live, { source: source() }))
      const after = await server.sql(null, "SHOW GLOBAL STATUS LIKE 'Com_create_db'")
      assert.deepEqual(after, await creating, what)
    }
  })

  it('is refused before it arrives if there is no room for it', async () => {
    const huge = { ...taken, summary: { ...taken.summary, sizeBytes: 1e17 } }
    await rejectsWith('TEMPORARY_SPACE_FULL', bench.stage(huge, live))
    await rejectsWith('TEMPORARY_SPACE_FULL', bench.preflight(huge, live))
  })

  it('closes a source that it does not read', async () => {
    const source = createReadStream(taken.file)
    const contents = { version: 2 as unknown as 1 }
    await rejectsWith('MANIFEST_UNSUPPORTED', bench.stage(taken, live, { source, contents }))
    assert.ok(source.destroyed)
  })
})
