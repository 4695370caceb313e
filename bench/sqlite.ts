import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { System } from '../tests/support/system.ts'
import { sqliteUrl } from '../tests/support/system.ts'
import { median, quantile, report, timed } from './measure.ts'
import { backUp, finish, registerTarget, restoreTo, watchMemory, workerOf } from './service.ts'
import { fileCopy, makeRecords, makeSized, vacuumInto } from './sqlite-sample.ts'

const RUNS = 5
const LATENCY_RUNS = 200

/** Backups and restores of SQLite databases against `VACUUM INTO` and a file copy, and the latency of an idle service. */
export async function measureSqlite(system: System, megabytes: readonly number[]): Promise<void> {
  await measureSmall(system)
  for (const size of megabytes) await measureSized(system, size)
}

async function measureSmall(system: System): Promise<void> {
  const file = join(system.directory, 'small.db')
  makeRecords(file, 10_000)
  await register(system, 'small', file)
  await compare(system, '10,000 records', 'small', file, 15)

  const toRunning: number[] = []
  const toCompleted: number[] = []
  for (let run = 0; run < LATENCY_RUNS; run += 1) {
    const startMs = performance.now()
    const { body } = await system.call('POST', '/v1/backups', { target: 'small' })
    const done = await finish(system, body.id)
    toCompleted.push(performance.now() - startMs)
    toRunning.push(Date.parse(done.startedAt) - Date.parse(done.createdAt))
  }
  const line = (samples: number[]) =>
    `p50 ${quantile(samples, 0.5).toFixed(1)} ms, p99 ${quantile(samples, 0.99).toFixed(1)} ms`
  console.log(`\nidle service, ${LATENCY_RUNS} backups of 10,000 records, one after the other`)
  console.log(`  accepted request to running job    ${line(toRunning)}`)
  console.log(`  request to completed               ${line(toCompleted)}`)
}

async function measureSized(system: System, size: number): Promise<void> {
  const file = join(system.directory, `sized-${size}.db`)
  makeSized(file, size)
  // making it held this process up: it has yet to see that the service closed its idle connections
  await sleep(100)
  const name = `sized-${size}`
  await register(system, name, file)
  const megabytesReal = Math.round((await stat(file)).size / 1e6)
  await compare(system, `${megabytesReal} MB`, name, file, size > 1000 ? 3 : RUNS)
  await rm(file, { force: true })
}

async function compare(
  system: System,
  title: string,
  target: string,
  file: string,
  runs: number,
): Promise<void> {
  const copy = join(system.directory, 'bench-copy.db')
  const restored = join(system.directory, 'bench-restored.db')
  const figures = { backup: [] as number[], vacuum: [] as number[], copy: [] as number[] }
  const restores = { restore: [] as number[], copy: [] as number[] }
  const memory = watchMemory(workerOf(system))
  let backupId = ''
  // one uncounted round first: it warms the page cache for all of them
  for (let run = -1; run < runs; run += 1) {
    const backup = await timed(async () => {
      backupId = await backUp(system, { target })
    })
    const vacuum = await timed(() => vacuumInto(file, copy))
    await rm(copy)
    const copied = await timed(() => fileCopy(file, copy))
    await rm(copy)
    const restore = await timed(() => restoreTo(system, backupId, { url: sqliteUrl(restored) }))
    await rm(restored)
    if (run < 0) continue
    figures.backup.push(backup)
    figures.vacuum.push(vacuum)
    figures.copy.push(copied)
    restores.restore.push(restore)
    restores.copy.push(copied)
  }
  const names = {
    'backup, verified and durable': figures.backup,
    'VACUUM INTO': figures.vacuum,
    'cp and sync': figures.copy,
  }
  report(`backup of ${title}`, names, 'ms')
  report(`restore of ${title}`, { 'restore, checked': restores.restore, 'cp and sync': restores.copy }, 'ms')
  memory.report()
  console.log(
    `  median backup / median VACUUM INTO: ${(median(figures.backup) / median(figures.vacuum)).toFixed(2)}`,
  )
}

async function register(system: System, name: string, file: string): Promise<void> {
  await registerTarget(system, name, sqliteUrl(file))
}
