import { lastLines, runCommand } from './command.mjs'
import { disableServices, withoutDaemons, withPackageSettings } from './debian-services.mjs'
import { throwIfInterrupted, uninterrupted } from './interrupts.mjs'
import { findProgram } from './paths.mjs'
import { SetupProblem } from './problem.mjs'

/** @typedef {'apt-get' | 'dnf' | 'apk' | 'pacman' | 'brew'} ManagerName */

/**
 * @typedef {object} Manager
 * @property {ManagerName} name
 * @property {(args: readonly string[]) => Promise<import('./command.mjs').CommandResult>} asRoot runs any program with
 *   the privilege that the manager needs
 * @property {boolean} permitted whether we have that privilege
 */

/**
 * What Debian's packages would do by themselves.
 *
 * @typedef {object} DebianWays
 * @property {readonly string[]} services what these packages bring along and would start
 * @property {readonly import('./debian-services.mjs').PackageSettings[]} settings what keeps them from making more
 * @property {string} [policyPath]
 */

/** @type {Readonly<Record<ManagerName, { install: readonly string[], refresh: readonly string[] | null }>>} */
const RECIPES = {
  'apt-get': {
    // no-remove: installing ours never takes something else away
    install: [
      'install',
      '-y',
      '-q',
      '--no-install-recommends',
      '--no-remove',
      '-o',
      'DPkg::Lock::Timeout=300',
    ],
    refresh: ['update', '-q'],
  },
  dnf: { install: ['install', '-y', '-q'], refresh: null },
  apk: { install: ['add', '-q'], refresh: ['update', '-q'] },
  pacman: { install: ['-S', '--noconfirm', '--needed'], refresh: null },
  brew: { install: ['install', '-q'], refresh: null },
}

/** @type {readonly ManagerName[]} */
const NAMES = ['apt-get', 'dnf', 'apk', 'pacman', 'brew']

/**
 * The package manager of this system, or null.
 *
 * @param {string} path where to look for programs
 * @returns {Promise<Manager | null>}
 */
export async function findManager(path) {
  const name = NAMES.find((candidate) => findProgram([candidate], path) !== null)
  if (name === undefined) return null
  const prefix = await privilegePrefix(name, path)
  return {
    name,
    permitted: prefix !== null,
    asRoot: (args) => {
      const [file = '', ...rest] = [...(prefix ?? []), ...args]
      return runCommand(file, rest, { timeoutMs: 15 * 60_000, env: { ...process.env, PATH: path } })
    },
  }
}

/**
 * What must stand before a command so that it has the manager's privilege; null if we cannot have it.
 *
 * @param {ManagerName} name
 * @param {string} path
 * @returns {Promise<readonly string[] | null>}
 */
async function privilegePrefix(name, path) {
  const isRoot = process.getuid?.() === 0
  // Homebrew wants no privilege, and refuses root
  if (name === 'brew') return isRoot ? null : []
  if (isRoot) return []
  const sudo = findProgram(['sudo'], path)
  if (sudo === null) return null
  const { code } = await runCommand(sudo, ['-n', 'true'], { timeoutMs: 20_000 })
  return code === 0 ? [sudo, '-n'] : null
}

/**
 * Installs packages so that no daemon of theirs starts, now or at the next boot. Once begun it is brought to its end,
 * also when a signal comes.
 *
 * @param {Manager} manager one that is permitted
 * @param {readonly (readonly string[])[]} alternatives lists of packages of which one is enough
 * @param {DebianWays} debian
 * @returns {Promise<void>} rejects with what the package manager said
 */
export async function installPackages(manager, alternatives, { settings, ...daemons }) {
  const { asRoot } = manager
  await uninterrupted(async () => {
    if (manager.name !== 'apt-get') return await install(manager, alternatives)
    await withoutDaemons({ asRoot, ...daemons }, () =>
      withPackageSettings({ asRoot, settings }, () => install(manager, alternatives)),
    )
    await disableServices(asRoot, daemons.services)
  })
  throwIfInterrupted()
}

/**
 * @param {Manager} manager
 * @param {readonly (readonly string[])[]} alternatives
 */
async function install(manager, alternatives) {
  const { install: command, refresh } = RECIPES[manager.name]
  /** @param {readonly string[]} args */
  const run = (args) =>
    // needrestart would restart services of others; the tools print what we quote, so in one language
    manager.asRoot([
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'NEEDRESTART_SUSPEND=1',
      'LC_ALL=C',
      manager.name,
      ...args,
    ])
  let output = ''
  for (const round of ['as it is', 'refreshed']) {
    if (round === 'refreshed') {
      if (refresh === null) break
      output = (await run(refresh)).output
    }
    for (const packages of alternatives) {
      const result = await run([...command, ...packages])
      if (result.code === 0) return
      output += result.output
    }
  }
  throw new SetupProblem(`${manager.name} failed`, lastLines(output))
}

/**
 * The command that a person would type.
 *
 * @param {ManagerName} name
 * @param {readonly string[]} packages
 */
export function commandFor(name, packages) {
  const verb = name === 'pacman' ? '-S' : name === 'apk' ? 'add' : 'install'
  return `${name === 'brew' ? '' : 'sudo '}${name} ${verb} ${packages.join(' ')}`
}
