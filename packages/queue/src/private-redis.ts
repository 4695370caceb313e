import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { access, constants } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { DirectoryLock, RedisOwner } from './private-redis-lock.ts'
import { lockDirectory } from './private-redis-lock.ts'
import { probeRedis } from './redis-probe.ts'

const PROGRAMS = ['redis-server', 'valkey-server']
const POLL_MS = 25
/** Long, because Redis first reads its whole log; a Redis that has ended is noticed at once. */
const READY_MS = 120_000
const STOP_MS = 3_000
/** Between choosing a free port and using it, somebody else may take it. */
const PORT_ATTEMPTS = 5

/** Where a private Redis keeps its data, and where it listens (any free port by default). */
export interface PrivateRedisOptions {
  /** Data, password and log lie in its subdirectory `redis`. */
  readonly dir: string
  readonly port?: number
}

/** How Redis ended. */
export interface RedisExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A Redis of our own, on the loopback address, behind a password. */
export interface PrivateRedis {
  /** With the password in it: not for logs. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when Redis has ended, whoever ended it. */
  readonly exited: Promise<RedisExit>
  /** Ends Redis and gives the directory free. Resolves when the process is gone; a second call waits for the first. */
  stop(): Promise<void>
}

/**
 * Starts a Redis that acknowledges nothing before it is on the disk, and resolves when it answers.
 *
 * Its data survives stop and start; so does its password, so that it can be started again on its port under clients
 * that are connected. Rejects with QUEUE_UNAVAILABLE if the program is missing or does not come up, or if a live
 * process already runs one in this directory. It does not outlive this process for long: Linux ends it when this
 * process dies, and elsewhere the next start in this directory does.
 */
export async function startPrivateRedis(options: PrivateRedisOptions): Promise<PrivateRedis> {
  const directory = join(resolve(options.dir), 'redis')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const program = await findProgram(PROGRAMS)
  if (program === null) {
    throw new AppError('QUEUE_UNAVAILABLE', 'redis-server was not found on PATH', {
      hint: 'install Redis (npm run setup tries to), or set HOLDFAST_REDIS_URL to a Redis of yours',
    })
  }
  const lock = await lockDirectory(directory, (left) => endOrphan(left, readPassword(directory)))
  try {
    const password = readPassword(directory) ?? createPassword(directory)
    return await startOnFreePort({ program, directory, password, lock }, options.port)
  } catch (error) {
    lock.release()
    throw error
  }
}

interface Place {
  readonly program: string
  readonly directory: string
  readonly password: string
  readonly lock: DirectoryLock
}

async function startOnFreePort(place: Place, wanted: number | undefined): Promise<PrivateRedis> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort())
    const { child, exited } = await launch(place, port)
    place.lock.note(port)
    const why = await whyNotReady(place, port, exited)
    if (why === null) return handle(place, port, child, exited)
    await end(child, exited)
    const isTaken = why.includes('Address already in use')
    if (!isTaken || wanted !== undefined || attempt === PORT_ATTEMPTS) {
      throw new AppError('QUEUE_UNAVAILABLE', `the private Redis did not start on port ${port}: ${why}`, {
        hint: `its log is ${join(place.directory, 'redis.log')}`,
      })
    }
  }
}

async function launch(
  { program, directory, password }: Place,
  port: number,
): Promise<{ child: ChildProcess; exited: Promise<RedisExit> }> {
  const file = join(directory, 'redis.conf')
  writeFileSync(file, configuration(port, password), { mode: 0o600 })
  const log = openSync(join(directory, 'redis.log'), 'w', 0o600)
  const [command = program, ...args] = [...(await tieToParent()), program, file]
  const child = spawn(command, args, {
    cwd: directory,
    stdio: ['ignore', log, log],
    // a session of its own: Ctrl-C on a terminal is for its owner, who stops it last
    detached: true,
  })
  closeSync(log)
  const exited = new Promise<RedisExit>((done) => {
    child.once('exit', (code, signal) => done({ code, signal }))
    child.once('error', () => done({ code: 127, signal: null }))
  })
  const endWithUs = (): void => {
    child.kill('SIGTERM')
  }
  process.once('exit', endWithUs)
  void exited.then(() => process.off('exit', endWithUs))
  return { child, exited }
}

/** The password stands in this file only: never in arguments, which every user of the machine can read. */
function configuration(port: number, password: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    'protected-mode yes',
    `requirepass ${password}`,
    'dir .',
    'appendonly yes',
    'appendfsync always',
    "save ''",
    'maxmemory-policy noeviction',
    'daemonize no',
    "logfile ''",
    '',
  ].join('\n')
}

async function whyNotReady(place: Place, port: number, exited: Promise<RedisExit>): Promise<string | null> {
  let ended = false
  void exited.then(() => {
    ended = true
  })
  const deadline = performance.now() + READY_MS
  while (!ended && performance.now() < deadline) {
    if ((await probeRedis(port, place.password, 'PING')) === '+PONG') return null
    await sleep(POLL_MS)
  }
  return ended ? lastWords(place.directory) : `no answer within ${READY_MS / 1000} s`
}

function lastWords(directory: string): string {
  const lines = readFileSync(join(directory, 'redis.log'), 'utf8').trim().split('\n')
  return lines.slice(-2).join(' / ') || 'it ended without a word'
}

function handle(place: Place, port: number, child: ChildProcess, exited: Promise<RedisExit>): PrivateRedis {
  let stopping: Promise<void> | null = null
  return {
    url: `redis://:${place.password}@127.0.0.1:${port}`,
    port,
    // spawn succeeded, so there is an id
    pid: child.pid ?? 0,
    exited,
    stop() {
      stopping ??= end(child, exited).then(() => place.lock.release())
      return stopping
    },
  }
}

async function end(child: ChildProcess, exited: Promise<RedisExit>): Promise<void> {
  child.kill('SIGTERM')
  const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(kill)
}

/** Ends the Redis of a process that died. The password proves that it is that one, whatever listens there now. */
async function endOrphan({ port }: RedisOwner, password: string | null): Promise<void> {
  if (port === null || password === null) return
  await probeRedis(port, password, 'SHUTDOWN')
  const deadline = performance.now() + STOP_MS
  while (performance.now() < deadline) {
    if ((await probeRedis(port, password, 'PING')) === null) return
    await sleep(POLL_MS)
  }
  throw new AppError('QUEUE_UNAVAILABLE', `the Redis that a dead process left on port ${port} does not end`, {
    hint: 'end that redis-server, then start again',
  })
}

function readPassword(directory: string): string | null {
  try {
    return readFileSync(join(directory, 'password'), 'utf8').trim() || null
  } catch {
    return null
  }
}

function createPassword(directory: string): string {
  const password = randomBytes(24).toString('base64url')
  writeFileSync(join(directory, 'password'), password, { mode: 0o600 })
  return password
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server without a port')
  return address.port
}

async function findProgram(names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    for (const place of (process.env.PATH ?? '').split(delimiter)) {
      if (place === '') continue
      const file = join(place, name)
      const isThere = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (isThere) return file
    }
  }
  return null
}

/** The words before a command that make Linux end it when this process dies; none where that is not to be had. */
async function tieToParent(): Promise<readonly string[]> {
  if (process.platform !== 'linux') return []
  const words = ['setpriv', '--pdeathsig', 'TERM']
  return await new Promise((done) => {
    execFile('setpriv', ['--pdeathsig', 'TERM', 'true'], (error) => done(error === null ? words : []))
  })
}
