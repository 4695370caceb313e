import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

const NAMES = ['initdb', 'postgres', 'psql', 'pg_dump', 'pg_restore'] as const

/** Absolute paths of the programs that a private server and its tests need. */
export type PostgresPrograms = Readonly<Record<(typeof NAMES)[number], string>>

/** Finds all of them in one directory: on PATH, or where distributions keep them beside it, newest first. */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '')
  return await findProgramsIn([...onPath, ...(await usualDirectories())])
}

/** The first of these directories that has all. Rejects, saying what to install, if none has. */
export async function findProgramsIn(directories: readonly string[]): Promise<PostgresPrograms> {
  for (const directory of directories) {
    const programs = NAMES.map((name) => join(directory, name))
    if (!(await Promise.all(programs.map(isProgram))).every(Boolean)) continue
    const [initdb = '', postgres = '', psql = '', pg_dump = '', pg_restore = ''] = programs
    return { initdb, postgres, psql, pg_dump, pg_restore }
  }
  throw new Error(
    `PostgreSQL's programs (${NAMES.join(', ')}) are neither together in a directory on PATH nor where Debian, ` +
      'Red Hat or Homebrew keep them: install them with `npm run setup -- --tests`, on Debian and Ubuntu also with ' +
      '`sudo apt-get install postgresql`',
  )
}

async function usualDirectories(): Promise<readonly string[]> {
  const found = async (parent: string, prefix: string) =>
    (await namesIn(parent)).filter((name) => name.startsWith(prefix)).map((name) => join(parent, name, 'bin'))
  return (
    await Promise.all([
      found('/usr/lib/postgresql', ''),
      found('/usr', 'pgsql-'),
      found('/opt/homebrew/opt', 'postgresql'),
      found('/usr/local/opt', 'postgresql'),
    ])
  ).flat()
}

async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.sort((one, other) => other.localeCompare(one, 'en', { numeric: true }))
}

async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
