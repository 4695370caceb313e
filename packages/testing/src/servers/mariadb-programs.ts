import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

const NAMES = ['mariadbd', 'mariadb-install-db', 'mariadb', 'mariadb-dump'] as const

const USUAL_DIRECTORIES = ['/usr/bin', '/usr/sbin', '/usr/libexec', '/opt/homebrew/bin', '/usr/local/bin']

/** Absolute paths of the programs that a private server and its tests need. */
export interface MariadbPrograms {
  readonly server: string
  readonly install: string
  readonly client: string
  readonly dump: string
}

/** Finds each of them on PATH, or where distributions keep it. Rejects, saying what to install, if one is missing. */
export async function findMariadbPrograms(): Promise<MariadbPrograms> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter((directory) => directory !== '')
  return await findMariadbProgramsIn([...onPath, ...USUAL_DIRECTORIES])
}

/** The first of each name in these directories. Rejects, saying what to install, if one is in none. */
export async function findMariadbProgramsIn(directories: readonly string[]): Promise<MariadbPrograms> {
  const found = await Promise.all(NAMES.map((name) => firstOf(name, directories)))
  const missing = NAMES.filter((_, at) => found[at] === '')
  const [server = '', install = '', client = '', dump = ''] = found
  if (missing.length === 0) return { server, install, client, dump }
  throw new Error(
    `MariaDB's ${missing.join(', ')} is neither on PATH nor where distributions keep it: install it with ` +
      '`npm run setup -- --tests`, on Debian and Ubuntu also with ' +
      '`sudo apt-get install mariadb-server-core mariadb-client`',
  )
}

async function firstOf(name: string, directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const file = join(directory, name)
    if (await isProgram(file)) return file
  }
  return ''
}

async function isProgram(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
