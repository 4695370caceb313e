import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { SetupProblem } from './problem.mjs'

/** @typedef {(args: readonly string[]) => Promise<import('./command.mjs').CommandResult>} AsRoot */

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
  const script = 'set -C; printf "%s" "$2" > "$1" && chmod 755 "$1"'
  const { code, output } = await asRoot(['sh', '-c', script, 'sh', policyPath, POLICY])
  if (code !== 0) throw new SetupProblem(`could not write ${policyPath}: ${output.trim()}`)
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
