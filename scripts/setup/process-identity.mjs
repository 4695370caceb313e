import { readFileSync } from 'node:fs'
import { systemCode } from './problem.mjs'

/**
 * A process id with the moment the process began, where the system tells: ids are used again, the pair is not.
 *
 * @param {number} pid
 * @returns {string}
 */
export function processIdentity(pid) {
  return `${pid} ${startTicks(pid)}`
}

/**
 * Whether the process that this identity was taken from still runs. An unreadable identity counts as dead.
 *
 * @param {string} identity
 * @returns {boolean}
 */
export function isProcessAlive(identity) {
  const [pidText, ticks] = identity.trim().split(' ')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and somebody else's
    if (systemCode(error) !== 'EPERM') return false
  }
  const now = startTicks(pid)
  if (now === ENDED) return false
  return ticks === undefined || ticks === '-' || now === '-' || ticks === now
}

/** Of a process that has ended and whose parent has not asked how. */
const ENDED = 'ended'

/** @param {number} pid */
function startTicks(pid) {
  try {
    // the second field is the program's name in brackets and may hold anything, so count from its end
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? ENDED : (fields[19] ?? '-')
  } catch {
    return '-'
  }
}
