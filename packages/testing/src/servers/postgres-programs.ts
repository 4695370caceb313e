import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Absolute paths of the programs that a private server needs. */
export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
  readonly createdb: string
}

const NAMES = ['initdb', 'postgres', 'createdb'] as const

/** Finds all of them in one directory: on PATH, or where distributions keep them beside it, newest first. */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '')
  const debian = (await versionsIn('/usr/lib/postgresql')).map(
    (version) => `/usr/lib/postgresql/${version}/bin`,
  )
  const redHat = (await versionsIn('/usr')).flatMap((name) =>
    name.startsWith('pgsql-') ? [`/usr/${name}/bin`] : [],
  )
  for (const directory of [...onPath, ...debian, ...redHat]) {
    const [initdb, postgres, createdb] = NAMES.map((name) => join(directory, name))
    if (initdb === undefined || postgres === undefined || createdb === undefined) continue
    if ((await Promise.all([initdb, postgres, createdb].map(isProgram))).every(Boolean)) {
      return { initdb, postgres, createdb }
    }
  }
  throw new Error(
    `PostgreSQL's server programs (${NAMES.join(', ')}) are neither on PATH nor in /usr/lib/postgresql/*/bin or ` +
      '/usr/pgsql-*/bin: install them, on Debian and Ubuntu with `apt-get install postgresql`',
  )
}

async function versionsIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.sort((one, other) => other.localeCompare(one, 'en', { numeric: true }))
}

async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
