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
  return ticks === undefined || ticks === '-' || now === '-' || ticks === now
}

/** @param {number} pid */
function startTicks(pid) {
  try {
    // the second field is the program's name in brackets and may hold anything, so count from its end
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-'
  } catch {
    return '-'
  }
}
