import { rm, stat } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { carryOut, sqliteUrl, startSystem } from '../tests/support/system.ts'
import { descendants, median, peakMiB, quantile, report, resetPeak, timed } from './measure.ts'
import { fileCopy, makeRecords, makeSized, vacuumInto } from './sample.ts'

// Paired runs, in turn, so that a drifting machine drifts for all of them alike. Usage: npm run bench -- [sizes in MB]

const RUNS = 5
const LATENCY_RUNS = 200

const sizes = process.argv.slice(2).map(Number)
const megabytes = sizes.length > 0 ? sizes : [400, 2000]

// the options under which `npm run` starts the service too
const { NODE_OPTIONS = '' } = process.env
const system = await startSystem({
  env: { HOLDFAST_LEASE_MS: '30000', HOLDFAST_LOG_LEVEL: 'warn', NODE_OPTIONS },
})
try {
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`)
  await measureSmall()
  for (const size of megabytes) await measureSized(size)
} finally {
  await system.stop()
}

async function measureSmall(): Promise<void> {
  const file = join(system.directory, 'small.db')
  makeRecords(file, 10_000)
  await register('small', file)
  await compare('10,000 records', 'small', file, 15)

  const toRunning: number[] = []
  const toCompleted: number[] = []
  for (let run = 0; run < LATENCY_RUNS; run += 1) {
    const startMs = performance.now()
    const { body } = await system.call('POST', '/v1/backups', { target: 'small' })
    const done = await finish(body.id)
    toCompleted.push(performance.now() - startMs)
    toRunning.push(Date.parse(done.startedAt) - Date.parse(done.createdAt))
  }
  const line = (samples: number[]) =>
    `p50 ${quantile(samples, 0.5).toFixed(1)} ms, p99 ${quantile(samples, 0.99).toFixed(1)} ms`
  console.log(`\nidle service, ${LATENCY_RUNS} backups of 10,000 records, one after the other`)
  console.log(`  accepted request to running job    ${line(toRunning)}`)
  console.log(`  request to completed               ${line(toCompleted)}`)
}

async function measureSized(size: number): Promise<void> {
  const file = join(system.directory, `sized-${size}.db`)
  makeSized(file, size)
  // making it held this process up: it has yet to see that the service closed its idle connections
  await sleep(100)
  const name = `sized-${size}`
  await register(name, file)
  const megabytesReal = Math.round((await stat(file)).size / 1e6)
  await compare(`${megabytesReal} MB`, name, file, size > 1000 ? 3 : RUNS)
  await rm(file, { force: true })
}

async function compare(title: string, target: string, file: string, runs: number): Promise<void> {
  const copy = join(system.directory, 'bench-copy.db')
  const restored = join(system.directory, 'bench-restored.db')
  const figures = { backup: [] as number[], vacuum: [] as number[], copy: [] as number[] }
  const restores = { restore: [] as number[], copy: [] as number[] }
  const worker = system.workers[0]
  if (worker === undefined) throw new Error('no worker')
  resetPeak(worker.pid)
  let childPeak = 0
  const watch = setInterval(() => {
    for (const pid of descendants(worker.pid)) childPeak = Math.max(childPeak, safePeak(pid))
  }, 50)
  let backupId = ''
  // one uncounted round first: it warms the page cache for all of them
  for (let run = -1; run < runs; run += 1) {
    const backup = await timed(async () => {
      backupId = await backUp(target)
    })
    const vacuum = await timed(() => vacuumInto(file, copy))
    await rm(copy)
    const copied = await timed(() => fileCopy(file, copy))
    await rm(copy)
    const restore = await timed(() => restoreTo(backupId, restored))
    await rm(restored)
    if (run < 0) continue
    figures.backup.push(backup)
    figures.vacuum.push(vacuum)
    figures.copy.push(copied)
    restores.restore.push(restore)
    restores.copy.push(copied)
  }
  clearInterval(watch)
  const names = {
    'backup, verified and durable': figures.backup,
    'VACUUM INTO': figures.vacuum,
    'cp and sync': figures.copy,
  }
  report(`backup of ${title}`, names, 'ms')
  report(`restore of ${title}`, { 'restore, checked': restores.restore, 'cp and sync': restores.copy }, 'ms')
  console.log(
    `  peak memory: worker ${peakMiB(worker.pid).toFixed(0)} MiB, largest child ${childPeak.toFixed(0)} MiB`,
  )
  console.log(
    `  median backup / median VACUUM INTO: ${(median(figures.backup) / median(figures.vacuum)).toFixed(2)}`,
  )
}

async function register(name: string, file: string): Promise<void> {
  const { status, body } = await system.call('POST', '/v1/targets', { name, url: sqliteUrl(file) })
  if (status !== 201) throw new Error(`target not registered: ${JSON.stringify(body)}`)
}

async function backUp(target: string): Promise<string> {
  const { body } = await system.call('POST', '/v1/backups', { target })
  return (await finish(body.id)).backupId
}

async function finish(operationId: string) {
  const { body } = await system.call('GET', `/v1/operations/${operationId}?wait=60`)
  if (body.state !== 'completed') throw new Error(`not completed: ${JSON.stringify(body.error ?? body)}`)
  return body
}

async function restoreTo(backupId: string, file: string): Promise<void> {
  const restored = await carryOut(system, `/v1/backups/${backupId}/restore`, {
    into: { url: sqliteUrl(file) },
    dryRun: false,
  })
  if (restored.state !== 'completed') throw new Error(`not restored: ${JSON.stringify(restored.error)}`)
}

function safePeak(pid: number): number {
  try {
    return peakMiB(pid)
  } catch {
    // it ended between being listed and being read
    return 0
  }
}
