import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
/** Where set-up keeps what it fetched: never anywhere else on the machine. */
export const TOOLS = join(ROOT, '.tools')

/** Places where programs lie that a bare PATH may not name. */
const USUAL_DIRECTORIES = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/opt/homebrew/bin']

/**
 * PATH as our programs get it: the private Node first, then the user's, then the usual places.
 *
 * @param {string | undefined} path
 * @param {string} [nodeDirectory]
 * @param {string} [tools]
 */
export function extendPath(path, nodeDirectory, tools = TOOLS) {
  const given = (path ?? '').split(delimiter)
  const all = [nodeDirectory ?? '', ...given, join(tools, 'bin'), ...USUAL_DIRECTORIES]
  return [...new Set(all.filter((directory) => directory !== ''))].join(delimiter)
}

/**
 * The first of these programs found on `path`, or in a directory that `directories` names; in the latter one part of
 * a path may be `*`, and its last match is tried first: the highest version.
 *
 * @param {readonly string[]} names
 * @param {string} path
 * @param {readonly string[]} [directories]
 * @returns {string | null}
 */
export function findProgram(names, path, directories = []) {
  const places = [...path.split(delimiter), ...directories.flatMap(expand)]
  for (const name of names) {
    for (const place of places) {
      const file = join(place, name)
      if (place !== '' && isExecutable(file)) return file
    }
  }
  return null
}

/**
 * The directories that a pattern with at most one `*` part stands for, last first.
 *
 * @param {string} pattern
 * @returns {string[]}
 */
export function expand(pattern) {
  const parts = pattern.split('/')
  const index = parts.findIndex((part) => part.includes('*'))
  if (index < 0) return [pattern]
  const parent = parts.slice(0, index).join('/')
  const rest = parts.slice(index + 1).join('/')
  const [before = '', after = ''] = (parts[index] ?? '').split('*')
  return entriesOf(parent)
    .filter((entry) => entry.startsWith(before) && entry.endsWith(after))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
    .map((entry) => join(parent, entry, rest))
}

/**
 * The names in a directory; none if it is not there.
 *
 * @param {string} directory
 * @returns {string[]}
 */
export function entriesOf(directory) {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/**
 * The file that a path finally leads to, or null.
 *
 * @param {string} path
 */
export function resolveLinks(path) {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
