import { dirname } from 'node:path'
import { Interrupted, watchInterrupts } from './interrupts.mjs'
import { ensureNode } from './node-runtime.mjs'
import { ensurePackages } from './packages.mjs'
import { extendPath, ROOT } from './paths.mjs'
import { SetupProblem } from './problem.mjs'
import { ensureProgram, PROGRAMS } from './programs.mjs'

/** @typedef {import('./programs.mjs').ProgramName} ProgramName */

/** What the service itself needs besides Node.js and its packages. */
/** @type {readonly ProgramName[]} */
export const FOR_SERVICE = ['redis']
/** What the tests need. */
/** @type {readonly ProgramName[]} */
export const FOR_TESTS = ['redis', 'postgres', 'mariadb', 'zstd', 'sqlite3']

/**
 * Brings this checkout into the state in which it can run: the right Node.js, the packages, the programs. Does nothing
 * where nothing is missing. A problem ends the process with a message and exit code 1.
 *
 * @param {readonly ProgramName[]} programs
 * @returns {Promise<{ node: string, didWork: boolean }>}
 */
export async function prepare(programs) {
  let didWork = false
  /** @param {string} line */
  const say = (line) => {
    didWork = true
    process.stderr.write(`set-up: ${line}\n`)
  }
  const stopWatching = watchInterrupts()
  try {
    const node = await ensureNode({ say })
    await ensurePackages({ root: ROOT, node, say })
    const path = extendPath(process.env.PATH, dirname(node))
    for (const name of programs) await ensureProgram(PROGRAMS[name], { path, say })
    return { node, didWork }
  } catch (error) {
    process.exit(explain(error))
  } finally {
    stopWatching()
  }
}

/**
 * Tells the user, and says with which code to exit.
 *
 * @param {unknown} error
 * @returns {number}
 */
function explain(error) {
  if (error instanceof Interrupted) return error.exitCode
  if (error instanceof SetupProblem) {
    process.stderr.write(`set-up: ${error.message}\n`)
    return 1
  }
  const system = describeSystemError(error)
  if (system === null) throw error
  process.stderr.write(`set-up: ${system}\n`)
  return 1
}

/**
 * The sentence for an error of the operating system, such as a full disk or a directory that may not be written.
 *
 * @param {unknown} error
 */
function describeSystemError(error) {
  if (!(error instanceof Error) || !('syscall' in error)) return null
  return `${error.message}\n  Check that ${ROOT} may be written by you and has space, then try again.`
}
