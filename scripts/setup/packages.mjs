import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { installFromLock } from './npm.mjs'
import { entriesOf } from './paths.mjs'

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [link]
 * @property {boolean} [optional]
 */

/**
 * Installs the packages of the lock file, unless they already are: a stamp in `node_modules` says from which manifests
 * they came, and packages that the user installed with npm are recognised by npm's own record.
 *
 * @param {{ root: string, node: string, say: (line: string) => void }} options
 */
export async function ensurePackages({ root, node, say }) {
  if (isUpToDate(root)) return
  await withLock(
    join(root, '.tools', 'packages.lock'),
    async () => {
      if (isUpToDate(root)) return
      say('installing packages (npm ci)')
      const failure = 'could not install the packages'
      await installFromLock({ directory: root, node, failure, advice: adviceAfter })
      writeStamp(root)
    },
    { onWait: (pid) => say(`waiting for another set-up in this checkout (process ${pid})`) },
  )
}

/** @param {string} root */
function isUpToDate(root) {
  if (readOrNull(stampPath(root)) === fingerprint(root)) return true
  if (!isInstalledByNpm(root)) return false
  writeStamp(root)
  return true
}

/** @param {string} output */
function adviceAfter(output) {
  return /\bEUSAGE\b/.test(output)
    ? ['The lock file does not fit: run `npm install` once, then try again.']
    : ['Check the network and the free space, then try again.']
}

/**
 * What the installed packages depend on.
 *
 * @param {string} root
 */
export function fingerprint(root) {
  const hash = createHash('sha256')
  for (const file of ['package-lock.json', 'package.json', ...workspaceManifests(root)]) {
    hash.update(`${file}\n`).update(readOrNull(join(root, file)) ?? '')
  }
  return `${process.platform}-${process.arch} ${hash.digest('hex')}\n`
}

/** @param {string} root */
function workspaceManifests(root) {
  /** @type {{ workspaces?: string[] }} */
  const { workspaces = [] } = parse(readOrNull(join(root, 'package.json'))) ?? {}
  return workspaces.flatMap((pattern) => {
    const directory = pattern.replace(/\/\*$/, '')
    return entriesOf(join(root, directory))
      .sort()
      .map((name) => join(directory, name, 'package.json'))
      .filter((manifest) => readOrNull(join(root, manifest)) !== null)
  })
}

/**
 * Whether npm has recorded that all of the lock file lies in `node_modules`. Optional packages may be missing: they
 * are for other systems.
 *
 * @param {string} root
 */
export function isInstalledByNpm(root) {
  const wanted = lockedPackages(join(root, 'package-lock.json'))
  const present = lockedPackages(join(root, 'node_modules', '.package-lock.json'))
  if (wanted === null || present === null) return false
  return Object.entries(wanted)
    .filter(([path]) => path.startsWith('node_modules/') || path.includes('/node_modules/'))
    .every(([path, { version, integrity, optional }]) => {
      const found = present[path]
      if (found === undefined) return optional === true
      return found.version === version && found.integrity === integrity
    })
}

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | null}
 */
function lockedPackages(file) {
  return parse(readOrNull(file))?.packages ?? null
}

/** @param {string} root */
function stampPath(root) {
  return join(root, 'node_modules', '.holdfast-stamp')
}

/** @param {string} root */
function writeStamp(root) {
  try {
    writeFileSync(stampPath(root), fingerprint(root))
  } catch {
    // a read-only checkout: the next start compares again, which costs some milliseconds
  }
}

/** @param {string} file */
function readOrNull(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

/** @param {string | null} text */
function parse(text) {
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
