import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SetupProblem, systemCode } from './problem.mjs'
import { isProcessAlive, processIdentity } from './process-identity.mjs'

const POLL_MS = 200
/** A lock file without a holder in it is one that is being written, unless it stays so for this long. */
const UNWRITTEN_MS = 5_000

/**
 * Runs `work` while no other process on this machine runs under the same lock file. The lock of a process that died
 * is taken over.
 *
 * @template Result
 * @param {string} path
 * @param {() => Promise<Result>} work
 * @param {{ waitMs?: number, onWait?: (holderPid: string) => void }} [options]
 * @returns {Promise<Result>}
 */
export async function withLock(path, work, options = {}) {
  await acquire(path, options)
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

/**
 * @param {string} path
 * @param {{ waitMs?: number, onWait?: (holderPid: string) => void }} options
 */
async function acquire(path, { waitMs = 15 * 60_000, onWait }) {
  mkdirSync(dirname(path), { recursive: true })
  const deadline = Date.now() + waitMs
  for (let round = 0; !tryCreate(path); round += 1) {
    const holder = readHolder(path)
    if (holder === null) continue
    if (isAbandoned(path, holder)) {
      breakLock(path)
      await sleep(POLL_MS / 10)
      continue
    }
    const holderPid = holder.split(' ')[0] ?? '?'
    if (round === 0) onWait?.(holderPid)
    if (Date.now() > deadline) {
      throw new SetupProblem(`process ${holderPid} has held ${path} for too long`, [
        'End that process, then try again.',
      ])
    }
    await sleep(POLL_MS)
  }
}

/** @param {string} path */
function tryCreate(path) {
  try {
    writeFileSync(path, processIdentity(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

/**
 * @param {string} path
 * @returns {string | null} null if the lock has just been released
 */
function readHolder(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
}

/**
 * @param {string} path
 * @param {string} holder
 */
function isAbandoned(path, holder) {
  return holder === '' ? isOlderThan(path, UNWRITTEN_MS) : !isProcessAlive(holder)
}

/**
 * Removes an abandoned lock. Two processes may find it abandoned at once; without the second look, inside a lock of
 * its own, the slower one would remove the lock that the faster one has just taken.
 *
 * @param {string} path
 */
function breakLock(path) {
  const guard = `${path}.breaking`
  try {
    mkdirSync(guard)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    if (isOlderThan(guard, UNWRITTEN_MS)) rmSync(guard, { recursive: true, force: true })
    return
  }
  try {
    const holder = readHolder(path)
    if (holder !== null && isAbandoned(path, holder)) rmSync(path, { force: true })
  } finally {
    rmSync(guard, { recursive: true, force: true })
  }
}

/**
 * @param {string} path
 * @param {number} ageMs
 */
function isOlderThan(path, ageMs) {
  try {
    return Date.now() - statSync(path).mtimeMs > ageMs
  } catch {
    return false
  }
}
