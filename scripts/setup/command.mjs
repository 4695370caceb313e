import { spawn } from 'node:child_process'
import { isProtected, onInterrupt, throwIfInterrupted } from './interrupts.mjs'
import { messageOf } from './problem.mjs'

const KEPT_OUTPUT_CHARACTERS = 64 * 1024

/**
 * @typedef {object} CommandOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {number} [timeoutMs]
 */

/**
 * @typedef {object} CommandResult
 * @property {number} code the exit code; 127 if the program could not be started, 128 if a signal ended it
 * @property {string} output the end of what it printed, both streams together
 */

/**
 * Runs a program without a shell and without input, keeping what it prints to itself.
 *
 * Never rejects because the program failed: the caller knows what a failure means. Rejects if the user interrupted.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {CommandOptions} [options]
 * @returns {Promise<CommandResult>}
 */
export async function runCommand(file, args, options = {}) {
  const result = await collect(file, args, options)
  throwIfInterrupted()
  return result
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {CommandOptions} options
 * @returns {Promise<CommandResult>}
 */
function collect(file, args, options) {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // a session of its own: Ctrl-C must not reach a package manager that is half-way
      detached: isProtected(),
    })
    let output = ''
    let timedOut = false
    /** @param {Buffer} chunk */
    const keep = (chunk) => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_OUTPUT_CHARACTERS)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const stopListening = onInterrupt((signal) => child.kill(signal))
    const timer = setTimeout(
      () => {
        timedOut = true
        child.kill('SIGTERM')
      },
      options.timeoutMs ?? 10 * 60_000,
    )
    /** @param {CommandResult} result */
    const finish = (result) => {
      clearTimeout(timer)
      stopListening()
      resolve(result)
    }
    child.on('error', (error) => finish({ code: 127, output: messageOf(error) }))
    child.on('close', (code) =>
      finish({ code: code ?? 128, output: timedOut ? `${output}\ntimed out` : output }),
    )
  })
}

/**
 * The last lines of a program's output, for a message.
 *
 * @param {string} output
 * @param {number} [count]
 * @returns {string[]}
 */
export function lastLines(output, count = 8) {
  return output
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-count)
}
