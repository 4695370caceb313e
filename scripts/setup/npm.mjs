import { basename, dirname } from 'node:path'
import { lastLines, runCommand } from './command.mjs'
import { extendPath, findProgram, resolveLinks } from './paths.mjs'
import { SetupProblem } from './problem.mjs'
import { tieToParent } from './tie-to-parent.mjs'

/** @typedef {{ file: string, args: readonly string[] }} NpmCommand */

/**
 * How to run npm, on `node` if it can be: some distributions ship an npm that only their own Node.js can load, and
 * that one then runs on what it came with. No install script runs either way, so that the result is the same.
 *
 * @param {string} node
 * @returns {Promise<NpmCommand>}
 */
async function findNpm(node) {
  const program = findProgram(['npm'], extendPath(process.env.PATH))
  const candidates = []
  for (const script of [process.env.npm_execpath ?? null, program && resolveLinks(program)]) {
    if (script === null || basename(script) !== 'npm-cli.js') continue
    candidates.push({ file: node, args: [script] }, { file: process.execPath, args: [script] })
  }
  if (program !== null) candidates.push({ file: program, args: [] })

  for (const candidate of candidates) {
    const { code } = await runCommand(candidate.file, [...candidate.args, '--version'], { timeoutMs: 60_000 })
    if (code === 0) return candidate
  }
  throw new SetupProblem('npm was not found', [
    'Install the npm that belongs to your Node.js, then try again.',
  ])
}

/**
 * Installs what the lock file in a directory says. Rejects with what npm said, followed by the advice.
 *
 * @param {{ directory: string, node: string, failure: string, advice: (output: string) => string[] }} options
 */
export async function installFromLock({ directory, node, failure, advice }) {
  const npm = await findNpm(node)
  const env = npmEnvironment(node)
  // an npm that outlived a killed set-up would work in the same directory as the next one
  const [file = npm.file, ...args] = [...tieToParent('KILL', env.PATH ?? ''), npm.file, ...npm.args]
  const { code, output } = await runCommand(file, [...args, 'ci'], {
    cwd: directory,
    env,
  })
  if (code === 0) return
  const lines = lastLines(output, 200).filter((line) => !line.startsWith('npm warn'))
  throw new SetupProblem(`${failure}: npm said`, [...lines.slice(0, 8), ...advice(output)])
}

/** What `npm run` tells its own script about itself. */
const LIFECYCLE =
  /^(npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix)|INIT_CWD$|NODE$|COLOR$)/

/**
 * The environment for npm: the user's settings of registry and proxy stay, also where a surrounding `npm run` passes
 * them on; what it says of its own script goes; programs that npm starts find the right `node` first.
 *
 * @param {string} node
 * @returns {NodeJS.ProcessEnv}
 */
export function npmEnvironment(node) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !LIFECYCLE.test(name)))
  return {
    ...env,
    PATH: extendPath(process.env.PATH, dirname(node)),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    npm_config_ignore_scripts: 'true',
  }
}
