import { spawnSync } from 'node:child_process'
import { findProgram } from './paths.mjs'

/** @type {Map<string, string[]>} */
const known = new Map()

/**
 * The words before a command that make Linux send it this signal when its parent dies, so that nothing runs on
 * unattended; none where that is not to be had.
 *
 * @param {'TERM' | 'KILL'} signal
 * @param {string} path where to look for programs
 * @returns {readonly string[]}
 */
export function tieToParent(signal, path) {
  if (process.platform !== 'linux') return []
  const words = known.get(`${signal} ${path}`) ?? probe(signal, path)
  known.set(`${signal} ${path}`, words)
  return words
}

/**
 * @param {string} signal
 * @param {string} path
 * @returns {string[]}
 */
function probe(signal, path) {
  const setpriv = findProgram(['setpriv'], path)
  if (setpriv === null) return []
  const args = ['--pdeathsig', signal]
  // the setpriv of small systems does not know this option
  return spawnSync(setpriv, [...args, 'true'], { stdio: 'ignore' }).status === 0 ? [setpriv, ...args] : []
}
