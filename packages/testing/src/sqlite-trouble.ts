import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { ErrorCode } from '@holdfast/core'
import type { DriverBench } from './driver/bench.ts'
import { never } from './driver/bench.ts'
import { rejectsWith } from './rejects-with.ts'
import type { SqlitePlace } from './sqlite-place.ts'
import { sqliteUrl } from './sqlite-place.ts'

/** Looking and dumping together, on a loaded machine, the wait for a lock included. */
const BOUND_MS = 15_000

/** Requires that looking and dumping fail with this code, soon, and leave everything as it was, times included. */
export async function requireSqliteRefusal(
  bench: DriverBench,
  place: SqlitePlace,
  path: string,
  code: ErrorCode,
  message = /./,
): Promise<void> {
  const before = fingerprintOf(place.databases)
  const startedAt = performance.now()
  const error = await rejectsWith(code, bench.driver(sqliteUrl(path)).inspect(never))
  assert.match(`${error.message} ${error.hint}`, message)
  const sink = await bench.sink()
  await rejectsWith(code, bench.driver(sqliteUrl(path)).dump(bench.dumpRequest(sink), never))
  assert.ok(performance.now() - startedAt < BOUND_MS, 'it took too long')
  await sink.remove()
  assert.deepEqual(readdirSync(place.scratchDir), [])
  assert.equal(fingerprintOf(place.databases), before)
}

/** Everything in a directory and about it, without opening anything. */
export function fingerprintOf(directory: string): string {
  const about = (path: string) => {
    const { ino, size, mode, nlink, mtimeNs } = lstatSync(path, { bigint: true })
    return [path, ino, size, mode, nlink, mtimeNs].join(' ')
  }
  return [directory, ...readdirSync(directory).map((name) => join(directory, name))].map(about).join('\n')
}

/** Another process that has carried out these statements and keeps its connection, and so its locks. */
export async function holdSqliteLock(path: string, sql: string): Promise<{ release(): Promise<void> }> {
  const library = createRequire(import.meta.url).resolve('better-sqlite3')
  const script = `
    const Database = require(${JSON.stringify(library)})
    const connection = new Database(${JSON.stringify(path)})
    connection.exec(${JSON.stringify(sql)})
    process.stdout.write('held')
    process.stdin.resume().on('end', () => process.exit(0))`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return {
    async release() {
      const gone = once(child, 'exit')
      child.stdin.end()
      await gone
    },
  }
}
