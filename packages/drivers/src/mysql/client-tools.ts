import { join } from 'node:path'
import { AppError } from '@holdfast/core'
import type { ToolPlaces } from '../client-server/client-directories.ts'
import { clientDirectories, isProgram, printedVersion } from '../client-server/client-directories.ts'
import { FoundTools } from '../client-server/found-tools.ts'
import type { Flavour, ServerFacts } from './flavours.ts'
import { FLAVOURS, flavourOf, versionName, versionNumber } from './flavours.ts'

/** One installed client: absolute paths of its programs. */
export interface ClientTools {
  readonly flavour: Flavour
  /** mariadb-dump or mysqldump. */
  readonly dump: string
  /** mariadb or mysql. */
  readonly client: string
  /** Like 101119 or 80036. */
  readonly version: number
  /** `10.11.19`. */
  readonly versionText: string
}

/** Where distributions keep them; `*` is part of one name. */
const STANDARD = [
  '/usr/bin', // Debian, Ubuntu, Red Hat, Alpine
  '/usr/local/bin',
  '/usr/local/mysql/bin', // Oracle's packages, and from source
  '/usr/local/mysql*/bin',
  '/usr/local/mariadb*/bin',
  '/opt/mysql*/bin',
  '/opt/mariadb*/bin',
  '/opt/homebrew/opt/mysql*/bin', // Homebrew: mysql, mysql@8.0, mysql-client@8.4
  '/opt/homebrew/opt/mariadb*/bin',
  '/usr/local/opt/mysql*/bin',
  '/usr/local/opt/mariadb*/bin',
  '/home/linuxbrew/.linuxbrew/opt/mysql*/bin',
  '/home/linuxbrew/.linuxbrew/opt/mariadb*/bin',
]

/** Every complete client of both flavours that is installed: the configured directory, the usual ones, then PATH. */
export async function findClientTools(
  places: ToolPlaces,
  standard: readonly string[] = STANDARD,
): Promise<readonly ClientTools[]> {
  const directories = await clientDirectories(places, standard)
  const found = await Promise.all(
    directories.flatMap((directory) => FLAVOURS.map((flavour) => clientIn(directory, flavour))),
  )
  return found.filter((tools) => tools !== null)
}

/**
 * The client for a server: of its flavour and release series, else of the next newer one. Throws TOOL_MISSING or
 * TOOL_TOO_OLD, naming what to install.
 */
export function chooseTools(found: readonly ClientTools[], server: ServerFacts): ClientTools {
  const { flavour, version } = server
  const byVersion = found
    .filter((tools) => tools.flavour === flavour)
    .sort((one, other) => flavour.seriesOf(one.version) - flavour.seriesOf(other.version))
  const fitting = byVersion.find((tools) => flavour.seriesOf(tools.version) >= flavour.seriesOf(version))
  if (fitting !== undefined) return fitting
  const hint = installHint(flavour, version)
  const newest = byVersion.at(-1)
  const wanted = `${flavour.name} ${versionName(version)}`
  if (newest === undefined) {
    throw new AppError(
      'TOOL_MISSING',
      `the server is ${wanted} and no client of ${flavour.name} is installed`,
      {
        hint,
      },
    )
  }
  throw new AppError(
    'TOOL_TOO_OLD',
    `the server is ${wanted}, the newest client of it that is installed is ${newest.versionText}`,
    { hint },
  )
}

/** The clients of this machine. Its `toolsFor` takes what is known of a server and rejects like {@link chooseTools}. */
export class Toolbox extends FoundTools<ServerFacts, ClientTools> {
  constructor(places: ToolPlaces, standard: readonly string[] = STANDARD) {
    super({
      find: () => findClientTools(places, standard),
      choose: chooseTools,
      isThere: async ({ dump, client }) => (await isProgram(dump)) && (await isProgram(client)),
    })
  }
}

/** Flavour and version in what a program of either prints for `--version`; null for anything else. */
export function readToolVersion(
  printed: string,
): { readonly flavour: Flavour; readonly version: number } | null {
  const text = /\b(?:Distrib|from) (\d[^\s,]*)/.exec(printed)?.[1] ?? /\bVer (\d[^\s,]*)/.exec(printed)?.[1]
  const version = versionNumber(text ?? '')
  return version === null ? null : { flavour: flavourOf(printed), version }
}

function installHint(flavour: Flavour, version: number): string {
  const release = versionName(version).replace(/\.\d+$/, '')
  return `install ${flavour.packages(release)}, or set HOLDFAST_MYSQL_BIN_DIR to the directory of the programs`
}

async function clientIn(directory: string, flavour: Flavour): Promise<ClientTools | null> {
  const dump = await programOf(directory, flavour, flavour.programs.dump)
  if (dump === null) return null
  const client = await programOf(directory, flavour, flavour.programs.client)
  if (client === null || flavour.seriesOf(client.version) !== flavour.seriesOf(dump.version)) return null
  const { file, version } = dump
  return { flavour, dump: file, client: client.file, version, versionText: versionName(version) }
}

/** The first of these names that is a program of the flavour: `mysqldump` is a link to MariaDB's in many places. */
async function programOf(
  directory: string,
  flavour: Flavour,
  names: readonly string[],
): Promise<{ readonly file: string; readonly version: number } | null> {
  for (const name of names) {
    const file = join(directory, name)
    if (!(await isProgram(file))) continue
    const read = readToolVersion((await printedVersion(file)) ?? '')
    if (read?.flavour === flavour) return { file, version: read.version }
  }
  return null
}
