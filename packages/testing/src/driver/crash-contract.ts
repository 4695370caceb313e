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

/** Enough for a swap to take a tenth of a second; one in several steps takes that for any size. */
const SIZE_MB = { atOnce: 8, inSteps: 1 }

/** Many restores one after another, on a loaded machine. */
const BOUND_MS = 300_000

/**
 * How often the work is killed, after a first time that measures how long it takes. Engines whose exchanges have steps
 * are killed at each of them by tests of their own.
 */
const KILLS = { atOnce: 6, inSteps: 4 }

/** Killed by SIGKILL at any moment, a change has happened or has not, and can be repeated. */
export function describeCrashes(suite: DriverSuite): void {
  const inSteps = suite.subject.exchangesInSteps ?? false
  const [sizeMb, kills] = inSteps ? [SIZE_MB.inSteps, KILLS.inSteps] : [SIZE_MB.atOnce, KILLS.atOnce]

  it(
    'leaves the old or the new database when it is killed in a swap, and finishes it when asked again',
    () =>
      suite.onBench(async (bench) => {
        const sources = [await bench.place.large(sizeMb), await bench.place.large(sizeMb)] as const
        const dumps = [await bench.dump(sources[0]), await bench.dump(sources[1])] as const
        const digests = [await bench.place.digest(sources[0]), await bench.place.digest(sources[1])] as const
        const url = await bench.place.large(sizeMb)
        let old = await bench.place.digest(url)
        let tookMs = 0
        for (let kill = 0; kill <= kills; kill += 1) {
          const which = kill % 2 === 0 ? 0 : 1
          let operationId = bench.newOperationId()
          let ticket = await bench.stage(dumps[which], url, operationId)
          tookMs = Math.max(
            tookMs,
            await runAndKill(suite.subject, bench, { url, action: 'swap', ticket }, kill, tookMs),
          )
          if (inSteps && kill % 2 === 1) {
            await bench.driver(url).discardStaged(operationId)
            operationId = bench.newOperationId()
            old = await wholeOf(bench, url, [old, digests[which]], kill)
            ticket = await bench.stage(dumps[which], url, operationId)
          }
          if (!inSteps) await wholeOf(bench, url, [old, digests[which]], kill)
          const { replaced } = await bench.driver(url).swap(ticket, allow, never)
          assert.equal(await bench.place.digest(url), digests[which], `kill ${kill} restored something else`)
          await bench.driver(url).discardStaged(operationId)
          assert.ok(replaced, `kill ${kill} lost what was replaced`)
          await bench.driver(url).undo(replaced.ticket, allow, never)
          assert.equal(
            await bench.place.digest(url),
            old,
            `kill ${kill} kept something else than the old database`,
          )
        }
        await bench.restore(dumps[0], url)
        assert.equal(await bench.place.digest(url), digests[0])
      }),
    BOUND_MS,
  )

  it(
    'leaves the old or the new database when it is killed in an undo, and finishes it when asked again',
    () =>
      suite.onBench(async (bench) => {
        const source = await bench.place.large(sizeMb)
        const dump = await bench.dump(source)
        const url = await bench.place.large(sizeMb)
        const old = await bench.place.digest(url)
        const restored = await bench.place.digest(source)
        let tookMs = 0
        for (let kill = 0; kill <= kills; kill += 1) {
          const { replaced } = await bench.restore(dump, url)
          assert.ok(replaced)
          const { ticket } = replaced
          tookMs = Math.max(
            tookMs,
            await runAndKill(suite.subject, bench, { url, action: 'undo', ticket }, kill, tookMs),
          )
          if (!inSteps) await wholeOf(bench, url, [old, restored], kill)
          await bench.driver(url).undo(ticket, allow, never)
          assert.equal(await bench.place.digest(url), old, `kill ${kill} put back something else`)
        }
      }),
    BOUND_MS,
  )
}

/** The digest of what is there, which has to be one of these. */
async function wholeOf(
  bench: DriverBench,
  url: string,
  expected: readonly string[],
  kill: number,
): Promise<string> {
  const found = await bench.place.digest(url)
  assert.ok(expected.includes(found), `kill ${kill} left a mixture`)
  return found
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
