import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@holdfast/core'
import type { ToolPlaces } from '../client-server/client-directories.ts'
import { clientDirectories, isProgram, printedVersion } from '../client-server/client-directories.ts'
import { FoundTools } from '../client-server/found-tools.ts'

/** One installed client: absolute paths of its programs. */
export interface ClientTools {
  readonly directory: string
  readonly pgDump: string
  readonly pgDumpall: string
  readonly pgRestore: string
  readonly psql: string
  /** Like server_version_num: 150020. */
  readonly version: number
  /** `15.20`. */
  readonly versionText: string
}

const PROGRAMS = ['pg_dump', 'pg_dumpall', 'pg_restore', 'psql'] as const
/** Older ones do not know all that our connections need. */
const OLDEST_MAJOR = 12

/** Where distributions keep every version in a directory of its own; `*` is part of one name. */
const STANDARD = [
  '/usr/lib/postgresql/*/bin', // Debian, Ubuntu
  '/usr/pgsql-*/bin', // Red Hat and its relatives
  '/usr/libexec/postgresql*', // Alpine
  '/opt/homebrew/opt/postgresql@*/bin', // Homebrew
  '/opt/homebrew/opt/libpq*/bin',
  '/usr/local/opt/postgresql@*/bin',
  '/usr/local/opt/libpq*/bin',
  '/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin',
  '/home/linuxbrew/.linuxbrew/opt/libpq*/bin',
  '/Applications/Postgres.app/Contents/Versions/*/bin',
  '/usr/local/pgsql/bin', // from source
]

/** Every complete client that is installed, each directory once: the configured one, then the usual ones, then PATH. */
export async function findClientTools(
  places: ToolPlaces,
  standard: readonly string[] = STANDARD,
): Promise<readonly ClientTools[]> {
  const directories = await clientDirectories(places, standard)
  return (await Promise.all(directories.map(clientIn))).filter((tools) => tools !== null)
}

/**
 * The client for a server: of the same major version, else the next newer one. Throws TOOL_MISSING or TOOL_TOO_OLD,
 * naming what to install.
 */
export function chooseTools(found: readonly ClientTools[], serverVersion: number): ClientTools {
  const wanted = majorOf(serverVersion)
  const byMajor = [...found].sort((one, other) => majorOf(one.version) - majorOf(other.version))
  const fitting = byMajor.find((tools) => majorOf(tools.version) >= wanted)
  if (fitting !== undefined) return fitting
  const hint = installHint(Math.max(wanted, OLDEST_MAJOR))
  const newest = byMajor.at(-1)
  if (newest === undefined) {
    throw new AppError('TOOL_MISSING', `no client of PostgreSQL ${OLDEST_MAJOR} or newer is installed`, {
      hint,
    })
  }
  throw new AppError(
    'TOOL_TOO_OLD',
    `the server is PostgreSQL ${versionText(serverVersion)}, the newest client installed is ${newest.versionText}`,
    { hint },
  )
}

/** The clients of this machine. Its `toolsFor` takes a server's version and rejects like {@link chooseTools}. */
export class Toolbox extends FoundTools<number, ClientTools> {
  constructor(places: ToolPlaces, standard: readonly string[] = STANDARD) {
    super({
      find: () => findClientTools(places, standard),
      choose: chooseTools,
      isThere: ({ pgDump }) => isClientProgram(pgDump),
    })
  }
}

/** `15.20` for 150020. */
export function versionText(version: number): string {
  return `${majorOf(version)}.${version % 10_000}`
}

function majorOf(version: number): number {
  return Math.floor(version / 10_000)
}

function installHint(major: number): string {
  return (
    `install postgresql-client-${major} (Debian, Ubuntu), postgresql${major} (Red Hat) or postgresql@${major} or libpq ` +
    '(Homebrew), or set HOLDFAST_POSTGRES_BIN_DIR to the directory of the programs'
  )
}

async function clientIn(directory: string): Promise<ClientTools | null> {
  const files = PROGRAMS.map((name) => join(directory, name))
  const [pgDump, pgDumpall, pgRestore, psql] = files
  if (pgDump === undefined || pgDumpall === undefined || pgRestore === undefined || psql === undefined)
    return null
  if (!(await Promise.all(files.map(isClientProgram))).every(Boolean)) return null
  const version = await versionOf(pgDump)
  if (version === null || majorOf(version) < OLDEST_MAJOR) return null
  return { directory, pgDump, pgDumpall, pgRestore, psql, version, versionText: versionText(version) }
}

/** Debian's wrapper is none: it runs whichever version it thinks best. */
async function isClientProgram(file: string): Promise<boolean> {
  return (await isProgram(file)) && !(await realpath(file)).endsWith('/pg_wrapper')
}

async function versionOf(program: string): Promise<number | null> {
  const printed = await printedVersion(program)
  const [, major, minor = '0'] = /^\S+ \([^)]*\) (\d{1,3})(?:\.(\d{1,4}))?/.exec(printed ?? '') ?? []
  return major === undefined ? null : Number(major) * 10_000 + Number(minor)
}
