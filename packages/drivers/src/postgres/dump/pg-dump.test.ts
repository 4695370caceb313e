import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PostgresServer, TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, never, startPostgres } from '@holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import { parsePostgresUrl } from '../postgres-url.ts'
import { SessionBench } from '../testing/session-bench.ts'
import type { PgDumpFormat } from './pg-dump.ts'
import { startPgDump } from './pg-dump.ts'
import { ToolWarnings } from './tool-warnings.ts'

const FORMATS: readonly PgDumpFormat[] = ['custom', 'plain', 'directory', 'tar']

const sessions = new SessionBench()
let server: PostgresServer
let directory: TemporaryDirectory

beforeAll(async () => {
  server = await startPostgres()
  directory = await makeTemporaryDirectory('pg-dump')
})

afterEach(() => sessions.closeAll())

afterAll(async () => {
  await server?.stop()
  await directory?.remove()
})

/** A dump of the empty database `postgres` that is on its way, and where it goes. */
async function start(format: PgDumpFormat) {
  const session = await sessions.open(server.url)
  await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const [row] = await session.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot')
  const scratchDir = join(directory.path, `scratch-${format}`)
  await mkdir(scratchDir)
  const file = join(directory.path, `dump-${format}`)
  const sink = { stream: () => createWriteStream(file), file: () => file }
  const toolbox = new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' })
  const job = {
    parts: { connection: parsePostgresUrl(server.url), patience: DEFAULT_PATIENCE },
    tools: await toolbox.toolsFor(session.serverVersion),
    ...{ format, database: 'postgres', tag: 'tests', snapshot: row?.snapshot ?? '', jobs: 1, filter: [] },
    warnings: new ToolWarnings(),
    request: { sink, scratchDir },
  }
  return { file, scratchDir, dump: await startPgDump(job, never) }
}

describe('startPgDump', () => {
  it.each(FORMATS)('loses nothing of a dump of format %s that ends before it is taken', async (format) => {
    const { file, scratchDir, dump } = await start(format)
    await dump.ended
    // it needs no longer to end
    await delay(300)
    const { sizeBytes } = await dump.finish(() => {}, never)
    await dump.stop()
    assert.ok(sizeBytes > 200, `${sizeBytes} bytes`)
    assert.equal((await stat(file)).size, sizeBytes)
    assert.deepEqual(await readdir(scratchDir), [])
  })
})
