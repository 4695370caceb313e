import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, copyFile, mkdtemp, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { PostgresServer } from '@holdfast/testing'
import { rejectsWith, startPostgres, withFlip } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { CheckChange } from '../testing/drill-bench.ts'
import { DrillBench } from '../testing/drill-bench.ts'
import type { Taken } from '../testing/dump-bench.ts'

const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const
type Format = (typeof FORMATS)[number]

const CONTENT = `
  CREATE TABLE t AS SELECT i AS a, md5(i::text) AS b FROM generate_series(1, 5000) AS i;
  CREATE INDEX ON t (a);
  SELECT lo_from_bytea(4711, 'large');`

let server: PostgresServer
let bench: DrillBench
const dumps = new Map<Format, Taken>()

beforeAll(async () => {
  server = await startPostgres()
  bench = await DrillBench.make(server)
  const source = await bench.database(CONTENT)
  for (const format of FORMATS) dumps.set(format, await bench.dumps.dump(source, { format }))
})
afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

/** A copy of the dump, alone in a directory. */
async function copyOf(format: Format): Promise<Taken> {
  const taken = dumps.get(format) ?? assert.fail()
  const file = join(await mkdtemp(join(dirname(taken.file), 'copy-')), 'dump')
  await copyFile(taken.file, file)
  return { ...taken, file }
}

/** Checks the structure, of whatever size the file has, and requires that nothing is left beside it. */
async function look(taken: Taken, change: CheckChange = {}) {
  const report = await bench.checkChanged(taken, { depth: 'structure', scratchUrl: null, ...change })
  assert.deepEqual(await readdir(dirname(taken.file)), ['dump'])
  assert.equal(report.rowCounts, null)
  return report
}

describe.each(FORMATS)('the structure of a dump of format %s', (format) => {
  it('is sound', async () => {
    const { valid, message } = await look(await copyOf(format))
    assert.ok(valid, message)
    assert.match(message, format === 'plain' ? /begins and ends/ : /whole archive with its \d+ entries/)
  })

  it.each([0, 0.25, 0.5, 0.9, 0.99, 0.999])('is not sound if it was cut to %f of its size', async (part) => {
    const taken = await copyOf(format)
    await truncate(taken.file, Math.floor(taken.summary.sizeBytes * part))
    const { valid, message } = await look(taken)
    assert.equal(valid, false)
    assert.match(message, /^the dump is damaged: .*(?:cut short|too early|does not begin)/)
  })

  it('is not sound if it has another size', async () => {
    const taken = await copyOf(format)
    await appendFile(taken.file, Buffer.alloc(100_000))
    const { sizeBytes } = taken.summary
    const report = await look(taken, { dump: { sizeBytes } })
    assert.deepEqual(report, {
      valid: false,
      message: `the dump has ${sizeBytes + 100_000} bytes instead of ${sizeBytes}`,
      rowCounts: null,
    })
  })

  it('is not sound if its head is damaged, wherever that is', async () => {
    const bytes = await readFile((dumps.get(format) ?? assert.fail()).file)
    for (const offset of [0, 3, 5]) {
      const taken = await copyOf(format)
      await writeFile(taken.file, withFlip(bytes, { offset, mask: 4 }))
      const { valid, message } = await look(taken)
      assert.equal(valid, false, `byte ${offset}`)
      assert.match(message, /^the dump is damaged: /)
    }
  })

  it('is not sound if it is something else', async () => {
    // the tar that pg_dump writes holds what is in a directory, and can be read as one
    const isTar = (name: Format) => name === 'tar' || name === 'directory'
    const foreign = FORMATS.filter((other) => other !== format && !(isTar(other) && isTar(format)))
    const others = foreign.map(async (other) => readFile((dumps.get(other) ?? assert.fail()).file))
    for (const content of [
      'hello, world\n'.repeat(10_000),
      Buffer.alloc(10_240),
      ...(await Promise.all(others)),
    ]) {
      const taken = await copyOf(format)
      await writeFile(taken.file, content)
      const { valid, message } = await look(taken)
      assert.equal(valid, false, message)
    }
  })
})

describe('the structure of a script', () => {
  it('is not sound if it was cut between two statements', async () => {
    const taken = await copyOf('plain')
    const text = await readFile(taken.file, 'latin1')
    for (const end of [
      text.indexOf('CREATE INDEX'),
      text.lastIndexOf('\n--\n-- PostgreSQL database dump complete'),
    ]) {
      await writeFile(taken.file, text.slice(0, end), 'latin1')
      const { valid, message } = await look(taken)
      assert.equal(valid, false)
      assert.match(message, /cut short/)
    }
  })

  it('is not sound if beginning and end are of two dumps', async () => {
    const taken = await copyOf('plain')
    const text = await readFile(taken.file, 'latin1')
    const other = text.replace(/\\unrestrict \w/, (start) => `${start}x`)
    assert.notEqual(other, text)
    await writeFile(taken.file, other, 'latin1')
    assert.match((await look(taken)).message, /two different dumps/)
    // nor if only one of them says that it is locked
    await writeFile(taken.file, text.replace(/\n\\unrestrict \w+\n/, ''), 'latin1')
    assert.equal((await look(taken)).valid, false)
  })

  it('is sound without a lock, as older programs wrote it', async () => {
    const taken = await copyOf('plain')
    const text = await readFile(taken.file, 'latin1')
    await writeFile(taken.file, text.replace(/\n\\(?:un)?restrict \w+\n/g, ''), 'latin1')
    const { valid, message } = await look(taken)
    assert.ok(valid, message)
  })
})

describe('the structure of a directory', () => {
  it('is not sound if one of its files is missing', async () => {
    for (const damage of ['rm "$(ls [0-9]*.dat | head -1)"', 'rm toc.dat', 'rm blob_4711.dat']) {
      const taken = await copyOf('directory')
      const script = `mkdir ../d && cd ../d && tar -xf "$1" && ${damage} && tar -cf "$1" * && cd .. && rm -r d`
      const place = dirname(taken.file)
      await promisify(execFile)('sh', ['-c', script, 'sh', taken.file], { cwd: place })
      const { valid, message } = await look(taken)
      assert.equal(valid, false, damage)
      assert.match(message, /^the dump is damaged: /)
    }
  })
})

describe('what says nothing about a dump', () => {
  it.each([
    ['TOOL_TOO_OLD', { toolVersion: '99.1' }, /no client installed is as new as the pg_dump .*99\.1/],
    ['INVALID_REQUEST', { format: 'sqlite' }, /knows no format sqlite/],
  ] as const)('is thrown: %s', async (code, dump, message) => {
    const taken = await copyOf('custom')
    const error = await rejectsWith(code, look(taken, { dump }))
    assert.match(error.message, message)
  })

  it('is thrown: the cancellation', async () => {
    const taken = await copyOf('directory')
    await rejectsWith('CANCELLED', look(taken, { signal: AbortSignal.abort() }))
  })
})
