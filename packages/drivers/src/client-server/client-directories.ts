import { execFile } from 'node:child_process'
import { access, constants, readdir, realpath } from 'node:fs/promises'
import { delimiter } from 'node:path'
import { promisify } from 'node:util'

/** Where to look for client programs. */
export interface ToolPlaces {
  /** Of the operator's choice; looked at first. */
  readonly configuredDirectory: string | null
  /** As in the environment variable. */
  readonly path: string
}

const ANSWERS_WITHIN_MS = 5_000

/**
 * Directories in which programs may be, each once, without links: the configured one, then the usual ones (in whose
 * names `*` is part of one name), then PATH.
 */
export async function clientDirectories(
  { configuredDirectory, path }: ToolPlaces,
  usual: readonly string[],
): Promise<readonly string[]> {
  const expanded = (await Promise.all(usual.map(expand))).flat()
  const onPath = path.split(delimiter).filter((directory) => directory.startsWith('/'))
  const configured = configuredDirectory === null ? [] : [configuredDirectory]
  const real = await Promise.all(
    [...configured, ...expanded, ...onPath].map((place) => realpath(place).catch(() => null)),
  )
  return [...new Set(real)].filter((directory) => directory !== null)
}

/** True if the file can be run. */
export async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** What a program prints for `--version`; null if it does not, or not in time. */
export async function printedVersion(program: string): Promise<string | null> {
  try {
    const options = { timeout: ANSWERS_WITHIN_MS, env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' } }
    const { stdout } = await promisify(execFile)(program, ['--version'], options)
    return stdout
  } catch {
    return null
  }
}

async function expand(pattern: string): Promise<readonly string[]> {
  const [parent = '', prefix = '', suffix = ''] = /^(.*\/)([^/*]*)\*(.*)$/.exec(pattern)?.slice(1) ?? []
  if (parent === '') return [pattern]
  const names = await readdir(parent).catch(() => [])
  const matching = names.filter((name) => name.startsWith(prefix))
  return matching.map((name) => `${parent}${name}${suffix}`)
}
