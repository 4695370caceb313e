import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'

const POLL_MS = 50
/** A guard directory older than this was left by a process that died while it held it. */
const GUARD_MS = 5_000
const TAKE_MS = 10_000
/** A process that was just killed may still be there for a moment; whoever restarts it should not be refused. */
const DYING_MS = 500
/** A lock without an owner in it is one that is being written, unless it stays so for this long. */
const UNWRITTEN_MS = 2_000

/** Who uses a data directory: the process that started Redis, and where that Redis listens. */
export interface RedisOwner {
  readonly owner: string
  readonly port: number | null
}

/** The exclusive use of one Redis data directory. */
export interface DirectoryLock {
  /** Notes where Redis listens, so that whoever takes over from us can end it. */
  note(port: number): void
  release(): void
}

/**
 * Takes the directory for this process. Rejects with QUEUE_UNAVAILABLE while another live process, or this one, has
 * it. What a dead process left is handed to `endOrphan` before its lock is taken over.
 */
export async function lockDirectory(
  directory: string,
  endOrphan: (left: RedisOwner) => Promise<void>,
): Promise<DirectoryLock> {
  const path = join(directory, 'owner.lock')
  const owner = processIdentity(process.pid)
  for (let waitedMs = 0; !tryCreate(path, { owner, port: null }); waitedMs += POLL_MS) {
    const holder = readOwner(path)
    const isHeld = holder !== null && isProcessAlive(holder.owner)
    if (isHeld && waitedMs >= DYING_MS) throw inUse(directory, holder.owner)
    if (waitedMs > TAKE_MS) throw inUse(directory, 'unknown')
    if (!isHeld) await withGuard(`${path}.taking`, () => clear(path, endOrphan))
    await sleep(POLL_MS)
  }
  return {
    note(port) {
      writeFileSync(`${path}.new`, JSON.stringify({ owner, port }), { mode: 0o600 })
      renameSync(`${path}.new`, path)
    },
    release() {
      if (readOwner(path)?.owner === owner) rmSync(path, { force: true })
    },
  }
}

/** Removes what a dead process left. Only now, with the guard, is it certain that nobody else has taken it since. */
async function clear(path: string, endOrphan: (left: RedisOwner) => Promise<void>): Promise<void> {
  const left = readOwner(path)
  const isKept = left === null ? ageMs(path) < UNWRITTEN_MS : isProcessAlive(left.owner)
  if (isKept) return
  if (left !== null) await endOrphan(left)
  rmSync(path, { force: true })
}

function inUse(directory: string, owner: string): AppError {
  const pid = owner.split(' ')[0]
  return new AppError('QUEUE_UNAVAILABLE', `process ${pid} already runs a private Redis in ${directory}`, {
    hint: 'stop the other Holdfast, or give this one a data directory of its own with HOLDFAST_DATA_DIR',
  })
}

function tryCreate(path: string, content: RedisOwner): boolean {
  try {
    writeFileSync(path, JSON.stringify(content), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Null for a lock that is gone or unreadable: it was being written when its process died. */
function readOwner(path: string): RedisOwner | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value !== 'object' || value === null || !('owner' in value)) return null
    if (typeof value.owner !== 'string') return null
    return { owner: value.owner, port: 'port' in value && typeof value.port === 'number' ? value.port : null }
  } catch {
    return null
  }
}

async function withGuard(path: string, work: () => Promise<void>): Promise<void> {
  try {
    mkdirSync(path)
  } catch {
    if (ageMs(path) > GUARD_MS + TAKE_MS) rmSync(path, { recursive: true, force: true })
    return
  }
  try {
    await work()
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

function ageMs(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return 0
  }
}

/** A process id with the moment the process began, where the system tells: ids are used again, the pair is not. */
export function processIdentity(pid: number): string {
  return `${pid} ${startTicks(pid)}`
}

/** Whether the process that an identity was taken from still runs. */
export function isProcessAlive(identity: string): boolean {
  const [pidText, ticks] = identity.split(' ')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and somebody else's
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  const now = startTicks(pid)
  if (now === ENDED) return false
  return ticks === undefined || ticks === '-' || now === '-' || ticks === now
}

/** Of a process that has ended and whose parent has not asked how. */
const ENDED = 'ended'

function startTicks(pid: number): string {
  try {
    // the second field is the program's name in brackets and may hold anything, so count from its end
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? ENDED : (fields[19] ?? '-')
  } catch {
    return '-'
  }
}
