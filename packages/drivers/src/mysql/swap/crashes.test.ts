import assert from 'node:assert/strict'
import {
  allow,
  fingerprintDifferences,
  never,
  rejectsWith,
  seededRandom,
  startMariadb,
} from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { CrashPoint } from '../testing/crashing.ts'
import { crash } from '../testing/crashing.ts'
import { SwapBench } from '../testing/swap-bench.ts'
import { NEW, OLD } from '../testing/swap-fillings.ts'
import type { runAction } from './run-action.ts'
import { swap } from './swap.ts'
import { undo } from './undo.ts'

const WHEN = ['before', 'during', 'after'] as const
const BOUND_MS = 120_000
/** Changes of the exchange that is tried here, and more. */
const CHANGES = 40

describe('an exchange that is killed', () => {
  let bench: SwapBench
  beforeAll(async () => {
    bench = new SwapBench(await startMariadb())
  })
  afterAll(() => bench?.server.stop())

  it('goes on to the same end, wherever and however often it is killed', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const parts = bench.parts(url)
    const old = await bench.fingerprint(url)
    const random = seededRandom(4)
    const kills = new Set<string>()
    for (let round = 0; round < 4; round += 1) {
      const staged = await bench.stage(url, NEW)
      const { replaced } = await untilDone(random, kills, (run) =>
        swap(parts, staged.ticket, allow, never, run),
      )
      assert.ok(replaced)
      const again = await swap(parts, staged.ticket, allow, never)
      assert.deepEqual(again.replaced, replaced)
      assert.deepEqual(fingerprintDifferences(staged.fingerprint, await bench.fingerprint(url)), [])
      await untilDone(random, kills, (run) => undo(parts, replaced.ticket, allow, never, run))
      await undo(parts, replaced.ticket, allow, never)
      assert.deepEqual(fingerprintDifferences(old, await bench.fingerprint(url)), [])
      assert.deepEqual(await bench.leftovers(), [])
    }
    assert.ok(kills.size > 16, `only ${kills.size} different places were tried`)
  })

  it('goes back wherever it is killed when it was going back', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const parts = bench.parts(url)
    const old = await bench.fingerprint(url)
    const probe = await bench.stage(url, NEW)
    const { replaced, changes } = await counted((run) => swap(parts, probe.ticket, allow, never, run))
    const undone = await counted(async (run) => {
      await undo(parts, replaced?.ticket ?? '', allow, never, run)
      return {}
    })
    const staged = await bench.stage(url, NEW)
    // what was taken back has one change less to make: defaults that name the right sequence stay
    const failAt = changes - 2
    for (let at = changes; at < 2 * changes - 4; at += 5) {
      const point: CrashPoint = { at, when: WHEN[at % WHEN.length] ?? 'before', failAt }
      assert.equal(await crash(point, (run) => swap(parts, staged.ticket, allow, never, run)), 'crashed')
      await rejectsWith('INTERNAL', swap(parts, staged.ticket, allow, never))
      assert.deepEqual(fingerprintDifferences(old, await bench.fingerprint(url)), [], `at ${at}`)
    }
    const { replaced: kept } = await swap(parts, staged.ticket, allow, never)
    assert.deepEqual(fingerprintDifferences(staged.fingerprint, await bench.fingerprint(url)), [])

    const point: CrashPoint = { at: undone.changes + 4, when: 'after', failAt: undone.changes - 1 }
    const back = () => undo(parts, kept?.ticket ?? '', allow, never)
    await crash(point, (run) => undo(parts, kept?.ticket ?? '', allow, never, run))
    await rejectsWith('INTERNAL', back())
    assert.deepEqual(fingerprintDifferences(staged.fingerprint, await bench.fingerprint(url)), [])
    await back()
    assert.deepEqual(fingerprintDifferences(old, await bench.fingerprint(url)), [])
    assert.deepEqual(await bench.leftovers(), [])
  })

  it('goes on when its session, or the server, is killed', { timeout: BOUND_MS }, async () => {
    const url = await bench.fill(OLD)
    const parts = bench.parts(url)
    const old = await bench.fingerprint(url)
    for (const [at, kill] of [
      [6, (id: number) => bench.server.sql(null, `KILL ${id}`)],
      [11, () => killAndResume(bench)],
      [19, () => killAndResume(bench)],
    ] as const) {
      const staged = await bench.stage(url, NEW)
      const { replaced } = await killing(at, kill, (run) => swap(parts, staged.ticket, allow, never, run))
      assert.deepEqual(fingerprintDifferences(staged.fingerprint, await bench.fingerprint(url)), [])
      await killing(at, kill, (run) => undo(parts, replaced?.ticket ?? '', allow, never, run))
      assert.deepEqual(fingerprintDifferences(old, await bench.fingerprint(url)), [])
      assert.deepEqual(await bench.leftovers(), [])
    }
  })
})

type Run = typeof runAction

/** Lets work crash again and again at some change, and at a later one each time that it got nowhere. */
async function untilDone<Result>(
  random: () => number,
  kills: Set<string>,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  for (let call = 0; call < CHANGES; call += 1) {
    const at = Math.floor(random() * (6 + call))
    const when = WHEN[Math.floor(random() * WHEN.length)] ?? 'before'
    const { run, last } = remembering()
    const outcome = await crash({ at, when }, (crashing) =>
      work((session, action) => {
        run(action)
        return crashing(session, action)
      }),
    )
    if (outcome !== 'crashed') return outcome.result
    kills.add(last())
  }
  return assert.fail('it never came to its end')
}

function remembering() {
  let text = ''
  return {
    run(action: Parameters<Run>[1]) {
      text = `${action.do} ${action.do === 'create' || action.do === 'drop' ? `${action.program.kind} ${action.program.name}` : ''}`
    },
    last: () => text,
  }
}

async function counted<Result extends object>(
  work: (run: Run) => Promise<Result>,
): Promise<Result & { readonly changes: number }> {
  let changes = 0
  const outcome = await crash({ at: Number.POSITIVE_INFINITY, when: 'before' }, (run) =>
    work((session, action) => {
      changes += 1
      return run(session, action)
    }),
  )
  return outcome === 'crashed' ? assert.fail() : { ...outcome.result, changes }
}

/** Work in the middle of which something is killed, once, while a change is under way. */
async function killing<Result>(
  at: number,
  kill: (id: number) => Promise<unknown>,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  let begun = 0
  const outcome = await crash({ at: Number.POSITIVE_INFINITY, when: 'before' }, (run) =>
    work(async (session, action) => {
      begun += 1
      if (begun === at) await kill(session.id)
      await run(session, action)
    }),
  )
  return outcome === 'crashed' ? assert.fail() : outcome.result
}

async function killAndResume(bench: SwapBench): Promise<void> {
  await bench.server.kill()
  await bench.server.resume()
}
