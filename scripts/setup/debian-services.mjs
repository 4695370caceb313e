import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { withLock } from './lock.mjs'
import { SetupProblem } from './problem.mjs'

/** @typedef {(args: readonly string[]) => Promise<import('./command.mjs').CommandResult>} AsRoot */

/**
 * A file that tells packages how to set themselves up while they are installed.
 *
 * @typedef {object} PackageSettings
 * @property {string} path in a directory that packages read and people do not write into
 * @property {string} content
 */

const POLICY_PATH = '/usr/sbin/policy-rc.d'
const DENIED = 101
const MARKER = 'holdfast: temporary, no service starts while its packages are installed'
const POLICY = `#!/bin/sh\n# ${MARKER}\nexit ${DENIED}\n`

/**
 * Runs `work` while Debian's packages may not start services: they ask a policy file before they do. A policy that is
 * there already stays untouched; if it would let the services start, nothing is installed.
 *
 * @param {{ asRoot: AsRoot, services: readonly string[], policyPath?: string, lockPath?: string }} options
 * @param {() => Promise<void>} work
 */
export async function withoutDaemons(options, work) {
  const {
    asRoot,
    services,
    policyPath = POLICY_PATH,
    lockPath = join(tmpdir(), 'holdfast-install.lock'),
  } = options
  // two checkouts may be set up at once, and the first to end would take the policy from under the other
  await withLock(lockPath, async () => {
    const isForeign = existsSync(policyPath) && !isOurs(policyPath)
    if (isForeign) {
      await requireDenial(asRoot, policyPath, services)
      return await work()
    }
    await createPolicy(asRoot, policyPath)
    try {
      await work()
    } finally {
      await asRoot(['rm', '-f', policyPath])
    }
  })
}

/** @param {string} policyPath */
function isOurs(policyPath) {
  try {
    return readFileSync(policyPath, 'utf8').includes(MARKER)
  } catch {
    return false
  }
}

/**
 * @param {AsRoot} asRoot
 * @param {string} policyPath
 * @param {readonly string[]} services
 */
async function requireDenial(asRoot, policyPath, services) {
  for (const service of services) {
    const { code } = await asRoot([policyPath, service, 'start'])
    if (code !== DENIED) throw new SetupProblem(`${policyPath} of this system would let ${service} start`)
  }
}

/**
 * @param {AsRoot} asRoot
 * @param {string} policyPath
 */
async function createPolicy(asRoot, policyPath) {
  // a file of ours is what a killed set-up left; noclobber keeps us from writing over anybody else's
  if (existsSync(policyPath)) await asRoot(['rm', '-f', policyPath])
  await createFile(asRoot, policyPath, { content: POLICY, mode: '755' })
}

/**
 * @param {AsRoot} asRoot
 * @param {string} path
 * @param {{ content: string, mode: string }} file
 */
async function createFile(asRoot, path, { content, mode }) {
  const script = 'set -C; printf "%s" "$2" > "$1" && chmod "$3" "$1"'
  const { code, output } = await asRoot(['sh', '-c', script, 'sh', path, content, mode])
  if (code !== 0) throw new SetupProblem(`could not write ${path}: ${output.trim()}`)
}

/**
 * Runs `work` while these files are there; they carry our name, so one that is there already is what a killed set-up
 * left.
 *
 * @param {{ asRoot: AsRoot, settings: readonly PackageSettings[] }} options
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
export async function withPackageSettings({ asRoot, settings: [first, ...others] }, work) {
  if (first === undefined) return await work()
  const directory = dirname(first.path)
  const isNew = !existsSync(directory)
  if (isNew) await asRoot(['mkdir', '-p', '-m', '755', directory])
  await asRoot(['rm', '-f', first.path])
  try {
    await createFile(asRoot, first.path, { content: first.content, mode: '644' })
    await withPackageSettings({ asRoot, settings: others }, work)
  } finally {
    await asRoot(['rm', '-f', first.path])
    if (isNew) await asRoot(['rmdir', '-p', '--ignore-fail-on-non-empty', directory])
  }
}

/**
 * Keeps services that came with packages of ours from starting at the next boot. Where there is no such service
 * manager there is nothing to do, so failures are of no interest.
 *
 * @param {AsRoot} asRoot
 * @param {readonly string[]} services
 */
export async function disableServices(asRoot, services) {
  for (const service of services) {
    await asRoot(['systemctl', 'disable', '--quiet', service])
    await asRoot(['update-rc.d', service, 'disable'])
  }
}
