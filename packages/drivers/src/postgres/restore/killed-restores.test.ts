import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { PostgresServer } from '@holdfast/testing'
import { allow, descendantsOf, never, seededRandom, startPostgres, waitUntilGone } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { DumpFile } from '../testing/restore-bench.ts'
import { databaseOf, quote, RestoreBench } from '../testing/restore-bench.ts'
import type { RunnerTask } from '../testing/restore-runner.ts'

const KILLS = 8

let server: PostgresServer
let bench: RestoreBench

beforeAll(async () => {
  server = await startPostgres()
  bench = await RestoreBench.make(server)
})

afterAll(async () => {
  await server?.stop()
  await bench?.remove()
})

/** Lets another process restore and kills it after a while. Resolves with how long it worked, if it came to its end. */
async function restoreAndKill(
  dump: DumpFile,
  url: string,
  operationId: string,
  afterMs: number | null,
): Promise<number> {
  const runner = fork(fileURLToPath(new URL('../testing/restore-runner.ts', import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
  })
  const gone = once(runner, 'exit')
  const { onProgress: _, ...request } = await bench.request(dump, { operationId })
  runner.send({ url, scratchDir: bench.scratchDir, file: dump.file, request } satisfies RunnerTask)
  const begunAt = performance.now()
  if (afterMs === null) {
    for (;;) {
      const [message] = await Promise.race([once(runner, 'message'), gone])
      assert.equal(typeof message, 'string', 'it has ended by itself')
      if (message === 'done') break
    }
  } else {
    await delay(afterMs)
  }
  const workedMs = performance.now() - begunAt
  const children = runner.pid === undefined ? [] : await descendantsOf(runner.pid)
  runner.kill('SIGKILL')
  await gone
  assert.deepEqual(await waitUntilGone(children), [], 'a child outlived the process that was killed')
  await rm(request.scratchDir, { recursive: true, force: true })
  return workedMs
}

describe('a restore whose process is killed', { timeout: 180_000 }, () => {
  it('leaves the old or the new database at every moment, and the next attempt needs no help', async () => {
    const source = await bench.seeded(1)
    const dump = await bench.dump(source)
    const restored = await bench.digest(source)
    const url = await bench.seeded(2)
    const old = await bench.digest(url)
    let tookMs = 0
    for (let kill = 0; kill <= KILLS; kill += 1) {
      const operationId = bench.newOperationId()
      // the first one is not killed before it has come to its end
      const afterMs = kill === 0 ? null : 150 + seededRandom(kill)() * (tookMs - 150)
      tookMs = Math.max(tookMs, await restoreAndKill(dump, url, operationId, afterMs))
      const found = await bench.digest(url)
      assert.ok([old, restored].includes(found), `kill ${kill} left a mixture`)
      const restore = bench.restore(url)
      if (found === old) await bench.run(dump, url, { operationId })
      assert.equal(await bench.digest(url), restored)
      await restore.discardStaged(operationId)
      const aside = `holdfast_old_${operationId.replaceAll('-', '')}`
      assert.deepEqual(await bench.own(), [aside], `kill ${kill} left something`)
      await server.sql('postgres', `DROP DATABASE ${quote(databaseOf(url))} WITH (FORCE)`)
      await server.sql('postgres', `ALTER DATABASE ${aside} RENAME TO ${quote(databaseOf(url))}`)
      assert.equal(await bench.digest(url), old)
      assert.deepEqual(await bench.sessions(), [])
    }
  })

  it('leaves the empty or the full database where it may create none', async () => {
    const user = await server.createRole()
    const source = await server.createDatabase(undefined, `OWNER ${user.name}`)
    await server.sql(
      databaseOf(source),
      `SET ROLE ${user.name}; CREATE TABLE public.items AS SELECT i AS id, md5(i::text) AS word FROM generate_series(1, 20000) AS i`,
    )
    const dump = await bench.dump(source)
    const restored = await bench.digest(source)
    let tookMs = 0
    for (let kill = 0; kill <= KILLS / 2; kill += 1) {
      const name = databaseOf(await server.createDatabase(undefined, `OWNER ${user.name}`))
      const url = server.urlOf(name, user)
      const operationId = bench.newOperationId()
      const afterMs = kill === 0 ? null : (0.4 + 0.6 * seededRandom(kill)()) * tookMs
      tookMs = Math.max(tookMs, await restoreAndKill(dump, url, operationId, afterMs))
      const found = await bench.digest(url)
      assert.ok(['[]', restored].includes(found), `kill ${kill} left a mixture`)
      if (found === '[]') {
        const ticket = await bench.stage(dump, url, { operationId })
        await bench.restore(url).swap(ticket, allow, never)
      }
      assert.equal(await bench.digest(url), restored)
      await bench.restore(url).discardStaged(operationId)
      assert.deepEqual(await bench.sessions(), [])
    }
  })
})
