import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { lastLines, runCommand } from './command.mjs'
import { withLock } from './lock.mjs'
import { installFromLock } from './npm.mjs'
import { entriesOf, expand, isExecutable, TOOLS } from './paths.mjs'
import { SetupProblem } from './problem.mjs'

const MAJOR = 24
const MINIMUM_MINOR = 12

/** What is fetched where the machine has no such Node.js. The sums are the registry's, written down once. */
const PINNED_VERSION = '24.21.0'
/** @type {Readonly<Record<string, string>>} */
const PINNED_SUMS = {
  'linux-x64':
    'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  'linux-arm64':
    'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
}

/**
 * Whether a version as Node.js prints it can run this project.
 *
 * @param {string} version
 */
export function isSuitable(version) {
  const [, major, minor] = /^v?(\d+)\.(\d+)\.\d+\s*$/.exec(version) ?? []
  return Number(major) === MAJOR && Number(minor) >= MINIMUM_MINOR
}

/**
 * A Node.js that can run this project: the running one, the one fetched before, another one on this machine, or one
 * fetched now into the tools directory.
 *
 * @param {{ say: (line: string) => void, tools?: string }} options
 * @returns {Promise<string>} the path of the program
 */
export async function ensureNode({ say, tools = TOOLS }) {
  if (isSuitable(process.version)) return process.execPath
  const fetched = join(tools, `node-${PINNED_VERSION}`, 'bin', 'node')
  if (isExecutable(fetched)) return fetched
  const installed = await findInstalledNode()
  if (installed !== null) return installed

  return await withLock(join(tools, 'node.lock'), async () => {
    if (!isExecutable(fetched)) await fetchNode(tools, say)
    return fetched
  })
}

async function findInstalledNode() {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'node'))
  const elsewhere = [
    `${homedir()}/.nvm/versions/node/v${MAJOR}*/bin/node`,
    `/opt/homebrew/opt/node@${MAJOR}/bin/node`,
    `/usr/local/opt/node@${MAJOR}/bin/node`,
  ].flatMap(expand)
  for (const file of new Set([...onPath, ...elsewhere])) {
    if (file === process.execPath || !isExecutable(file)) continue
    const { code, output } = await runCommand(file, ['--version'], { timeoutMs: 20_000 })
    if (code === 0 && isSuitable(output)) return file
  }
  return null
}

/**
 * @param {string} tools
 * @param {(line: string) => void} say
 */
async function fetchNode(tools, say) {
  const platform = `${process.platform}-${process.arch}`
  const sum = PINNED_SUMS[platform]
  if (sum === undefined) {
    throw new SetupProblem(
      `this project runs on Node.js ${MAJOR}, this is ${process.version}, and none can be fetched for ${platform}`,
      adviceToInstall(),
    )
  }
  say(`fetching Node.js ${PINNED_VERSION} into .tools (once; this is ${process.version})`)
  mkdirSync(tools, { recursive: true })
  // left behind by a set-up that was killed: we hold the lock, so nobody works there
  for (const entry of entriesOf(tools)) {
    if (entry.startsWith('fetching-')) rmSync(join(tools, entry), { recursive: true, force: true })
  }
  const workspace = mkdtempSync(join(tools, 'fetching-'))
  try {
    await fetchPackage(workspace, `node-${platform}`, sum)
    const unpacked = join(workspace, 'node_modules', `node-${platform}`)
    await checkRuns(join(unpacked, 'bin', 'node'))
    const destination = join(tools, `node-${PINNED_VERSION}`)
    rmSync(destination, { recursive: true, force: true })
    renameSync(unpacked, destination)
  } finally {
    rmSync(workspace, { recursive: true, force: true })
  }
}

/**
 * Lets npm fetch one package and check it against our own sum: with a lock file it takes nothing else.
 *
 * @param {string} workspace
 * @param {string} name
 * @param {string} sum
 */
async function fetchPackage(workspace, name, sum) {
  const manifest = {
    name: 'node-runtime',
    version: '0.0.0',
    private: true,
    dependencies: { [name]: PINNED_VERSION },
  }
  const lock = {
    ...manifest,
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': manifest,
      [`node_modules/${name}`]: { version: PINNED_VERSION, integrity: sum },
    },
  }
  writeFileSync(join(workspace, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(workspace, 'package-lock.json'), JSON.stringify(lock))
  await installFromLock({
    directory: workspace,
    node: process.execPath,
    failure: `could not fetch Node.js ${PINNED_VERSION}`,
    advice: () => ['Check the network, or:', ...adviceToInstall()],
  })
}

/** @param {string} node */
async function checkRuns(node) {
  const { code, output } = await runCommand(node, ['--version'], { timeoutMs: 20_000 })
  if (code === 0 && isSuitable(output)) return
  throw new SetupProblem(`the Node.js that was fetched does not run on this system`, [
    ...lastLines(output, 2),
    ...adviceToInstall(),
  ])
}

function adviceToInstall() {
  return [
    `Install Node.js ${MAJOR}.${MINIMUM_MINOR} or a newer ${MAJOR}, put it first on PATH, and try again` +
      (process.platform === 'darwin' ? `: brew install node@${MAJOR}` : '.'),
  ]
}
