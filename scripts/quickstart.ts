// npm run quickstart: the whole service on embedded defaults, and one real backup taken, proven and restored.
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AppError, loadConfiguration } from '@holdfast/core'
import { requireDataDir, StartFailure, startService } from './lib/start-service.ts'
import { openApi } from './quickstart/api.ts'
import { ownKey } from './quickstart/own-key.ts'
import { compareWithLive, startShop } from './quickstart/shop.ts'

const READY_MS = 60_000

const stopRequest = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stopRequest.abort(signal))
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((arg) => arg !== '--once')
  if (unknown.length > 0) {
    say(`unknown option ${unknown[0]}\nusage: npm run quickstart [-- --once]`)
    return 2
  }
  try {
    return await run(args.includes('--once'))
  } catch (error) {
    if (stopRequest.signal.aborted) return 0
    if (!(error instanceof AppError || error instanceof StartFailure)) throw error
    say(`\nThe quickstart failed: ${error.message}`)
    if (error instanceof AppError && error.hint !== null) say(error.hint)
    return 1
  }
}

async function run(once: boolean): Promise<number> {
  const { dataDir } = loadConfiguration(process.env, process.cwd())
  requireDataDir(dataDir)
  const key = process.env.HOLDFAST_API_KEY || ownKey(dataDir)
  const logFile = join(dataDir, 'service.log')
  say('Starting Redis, the API and a worker …')
  const service = await startService({
    env: {
      ...process.env,
      HOLDFAST_API_KEY: key,
      ...rootsWith(dataDir),
    },
    signal: stopRequest.signal,
    readyTimeoutMs: READY_MS,
    logFile,
    say,
  })
  try {
    await demonstrate(service.apiUrl, key, dataDir)
    say(farewell(service.apiUrl, key, logFile, once))
    if (once) return 0
    const asked = new Promise<null>((resolve) =>
      stopRequest.signal.addEventListener('abort', () => resolve(null)),
    )
    const why = await Promise.race([service.failed, asked])
    if (why === null) return 0
    say(`stopping, because ${why}`)
    return 1
  } finally {
    await service.stop()
    say('Stopped. Nothing is left running.')
  }
}

/** The sample database lies in the data directory, wherever databases may lie otherwise. */
function rootsWith(dataDir: string): { readonly HOLDFAST_PATH_ROOTS?: string } {
  const roots = process.env.HOLDFAST_PATH_ROOTS
  return roots ? { HOLDFAST_PATH_ROOTS: `${roots}:${dataDir}` } : {}
}

async function demonstrate(apiUrl: string, key: string, dataDir: string): Promise<void> {
  const api = openApi({ url: apiUrl, key, signal: stopRequest.signal, say })
  const shop = await startShop(join(dataDir, 'quickstart'))
  try {
    step(
      1,
      `A live SQLite database: ${show(shop.file)} (${shop.orders()} orders, and a process adds more all the time)`,
    )
    await api.registerOnce('quickstart-shop', pathToFileURL(shop.file).href.replace(/^file:/, 'sqlite:'))

    step(2, 'Backing it up over HTTP, while the writing goes on')
    const taken = await api.carryOut('/v1/backups', {
      target: 'quickstart-shop',
      note: 'taken by the quickstart',
    })
    const backup = await api.get(`/v1/backups/${taken.backupId}`)
    say(
      `     ${backup.recordCount} records, ${backup.sizeBytes} bytes, stored as ${backup.storedBytes} in ${backup.durationMs} ms`,
    )
    say(`     ${show(backup.storagePath)}`)

    step(3, 'Verifying it by a drill: restored into scratch space, checked in full, rows counted')
    const verified = await api.carryOut(`/v1/backups/${backup.id}/verify`, { level: 'restore' })
    say(`     ${verified.result.verification.message}`)

    const copy = join(dataDir, 'quickstart', `restored-${backup.id}.db`)
    step(4, `Restoring it elsewhere: ${show(copy)}`)
    const into = { url: pathToFileURL(copy).href.replace(/^file:/, 'sqlite:') }
    const restored = await api.carryOut(`/v1/backups/${backup.id}/restore`, { into, dryRun: false })
    say(`     ${restored.result.recordsRestored} records restored`)

    step(5, 'Comparing the copy with the live database')
    const compared = compareWithLive(copy, shop.file)
    if (compared.records !== backup.recordCount) {
      throw new StartFailure(`the copy holds ${compared.records} records, the backup ${backup.recordCount}`)
    }
    say(
      `     all ${compared.records} records are equal; the live database has ${compared.newer} newer ones by now`,
    )
    const stall = await shop.stop()
    say(`     its writer committed ${stall.commits} times meanwhile, without an error`)
  } finally {
    await shop.stop()
  }
}

function farewell(url: string, key: string, logFile: string, once: boolean): string {
  const done = '\nDone: backed up, verified, restored, compared.\n'
  if (once) return `${done}\n  Log   ${show(logFile)}\n`
  return `${done}
  API and documentation   ${url}/docs
  Queues (Bull Board)     ${url}/queues     any user name, the key as password
  Key                     ${key}
  Log                     ${show(logFile)}

  Use it from another terminal:
    export HOLDFAST_URL=${url} HOLDFAST_API_KEY=${key}
    npm run holdfast -- backup list

The service goes on running; Ctrl-C stops it.`
}

function show(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

function step(number: number, text: string): void {
  say(`\n  ${number}. ${text}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
