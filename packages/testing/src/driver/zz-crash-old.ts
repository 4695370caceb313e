import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { it } from 'vitest'
import { seededRandom } from '../damage.ts'
import { descendantsOf, waitUntilGone } from '../processes.ts'
import type { DriverBench, DriverSuite } from './bench.ts'
import { allow, never } from './bench.ts'
import type { DriverSubject } from './subject.ts'

/** What the process that is killed is told to do. */
export interface RunnerTask {
  readonly module: DriverSubject['module']
  readonly url: string
  readonly context: { readonly pathRoots: readonly string[]; readonly scratchDir: string }
  readonly action: 'swap' | 'undo'
  readonly ticket: string
}

/** Enough for a swap to take a tenth of a second. */
const SIZE_MB = 8

/** Many restores one after another, on a loaded machine. */
const BOUND_MS = 300_000

/** How often the work is killed, after a first time that measures how long it takes. */
const KILLS = 6

/** Killed by SIGKILL at any moment, a change has happened or has not, and can be repeated. */
export function describeCrashes(suite: DriverSuite): void {
  it(
    'leaves the old or the new database when it is killed in a swap, and finishes it when asked again',
    () =>
      suite.onBench(async (bench) => {
        const dumps = [
          await bench.dump(await bench.place.large(SIZE_MB)),
          await bench.dump(await bench.place.large(SIZE_MB)),
        ]
        const url = await bench.place.large(SIZE_MB)
        let tookMs = 0
        for (let kill = 0; kill <= KILLS; kill += 1) {
          const dump = dumps[kill % 2] ?? assert.fail()
          const operationId = bench.newOperationId()
          const ticket = await bench.stage(dump, url, operationId)
          const old = await bench.place.digest(url)
          tookMs = Math.max(
            tookMs,
            await runAndKill(suite.subject, bench, { url, action: 'swap', ticket }, kill, tookMs),
          )
          const found = await bench.place.digest(url)
          const { replaced } = await bench.driver(url).swap(ticket, allow, never)
          const restored = await bench.place.digest(url)
          assert.ok([old, restored].includes(found), `kill ${kill} left a mixture`)
          await bench.driver(url).discardStaged(operationId)
          assert.ok(replaced, `kill ${kill} lost what was replaced`)
          await bench.driver(url).undo(replaced.ticket, allow, never)
          assert.equal(
            await bench.place.digest(url),
            old,
            `kill ${kill} kept something else than the old database`,
          )
          await bench.restore(dump, url)
          assert.equal(await bench.place.digest(url), restored, `kill ${kill} restored something else`)
        }
      }),
    BOUND_MS,
  )

  it(
    'leaves the old or the new database when it is killed in an undo, and finishes it when asked again',
    () =>
      suite.onBench(async (bench) => {
        const dump = await bench.dump(await bench.place.large(SIZE_MB))
        const url = await bench.place.large(SIZE_MB)
        let tookMs = 0
        for (let kill = 0; kill <= KILLS; kill += 1) {
          const old = await bench.place.digest(url)
          const { replaced } = await bench.restore(dump, url)
          assert.ok(replaced)
          const restored = await bench.place.digest(url)
          const { ticket } = replaced
          tookMs = Math.max(
            tookMs,
            await runAndKill(suite.subject, bench, { url, action: 'undo', ticket }, kill, tookMs),
          )
          assert.ok([old, restored].includes(await bench.place.digest(url)), `kill ${kill} left a mixture`)
          await bench.driver(url).undo(ticket, allow, never)
          assert.equal(await bench.place.digest(url), old, `kill ${kill} put back something else`)
        }
      }),
    BOUND_MS,
  )
}

/** Lets another process do the work and kills it at some moment. Returns how long it worked. */
async function runAndKill(
  subject: DriverSubject,
  bench: DriverBench,
  task: Pick<RunnerTask, 'url' | 'action' | 'ticket'>,
  kill: number,
  tookMs: number,
): Promise<number> {
  const { pathRoots, scratchDir } = bench.place.context
  const runner = fork(fileURLToPath(new URL('./runner.ts', import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [],
  })
  const gone = once(runner, 'exit')
  runner.send({ ...task, module: subject.module, context: { pathRoots, scratchDir } } satisfies RunnerTask)
  assert.deepEqual(await Promise.race([once(runner, 'message'), gone]), ['begun', undefined])
  const startedAt = performance.now()
  // the first run comes to its end
  if (kill === 0) assert.deepEqual(await Promise.race([once(runner, 'message'), gone]), ['done', undefined])
  else await delay(seededRandom(kill)() * tookMs)
  const workedMs = performance.now() - startedAt
  await endWithChildren(runner, gone)
  return kill === 0 ? workedMs : 0
}

async function endWithChildren(runner: ChildProcess, gone: Promise<unknown>): Promise<void> {
  const children = runner.pid === undefined ? [] : await descendantsOf(runner.pid)
  runner.kill('SIGKILL')
  await gone
  assert.deepEqual(await waitUntilGone(children), [], 'a child outlived the process that was killed')
}
