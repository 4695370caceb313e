import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeTemporaryDirectory, throwsWith } from '@holdfast/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ClientTools } from './client-tools.ts'
import { chooseTools, findClientTools, readToolVersion, Toolbox } from './client-tools.ts'
import { MARIADB, MYSQL, serverFacts } from './flavours.ts'

// recorded from packages of the two, and of those who build them
const PRINTED = {
  'mysqldump 5.7': 'mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)',
  'mysql 5.7': 'mysql  Ver 14.14 Distrib 5.7.44, for Linux (x86_64) using  EditLine wrapper',
  'mysqldump 8.0': 'mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)',
  'mysql 8.0': 'mysql  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)',
  'mysqldump 8.0 of Ubuntu': 'mysqldump  Ver 8.0.39-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))',
  'mysqldump of Percona': 'mysqldump  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL), Release 28)',
  'mysqldump 8.4': 'mysqldump  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)',
  'mysql 8.4': 'mysql  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)',
  'mysqldump of Homebrew': 'mysqldump  Ver 9.1.0 for macos15.1 on arm64 (Homebrew)',
  'mariadb-dump 10.11': 'mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)',
  'mariadb 10.11':
    'mariadb  Ver 15.1 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64) using  EditLine wrapper',
  'mysqldump of MariaDB': 'mysqldump  Ver 10.19 Distrib 10.6.12-MariaDB, for Linux (x86_64)',
  'mysql of MariaDB': 'mysql  Ver 15.1 Distrib 10.6.12-MariaDB, for Linux (x86_64) using readline 5.1',
  'mariadb-dump 11.4': 'mariadb-dump from 11.4.2-MariaDB, client 10.19 for debian-linux-gnu (x86_64)',
  'mariadb 11.4':
    'mariadb from 11.4.2-MariaDB, client 15.2 for debian-linux-gnu (x86_64) using  EditLine wrapper',
  'mysqldump that warns':
    "mysqldump: Deprecated program name. It will be removed in a future release, use '/usr/bin/mariadb-dump' instead\nmysqldump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)",
} as const

let place: Awaited<ReturnType<typeof makeTemporaryDirectory>>
let made = 0
let directory: string

beforeAll(async () => {
  place = await makeTemporaryDirectory('client-tools')
})
afterAll(() => place.remove())
beforeEach(() => {
  made += 1
  directory = join(place.path, `${made}`)
})

/** A directory with programs that print these lines. */
async function install(programs: Readonly<Record<string, string>>, into = directory): Promise<string> {
  await mkdir(into, { recursive: true })
  for (const [name, printed] of Object.entries(programs)) {
    await writeFile(join(into, name), `#!/bin/sh\ncat <<'END'\n${printed}\nEND\n`)
    await chmod(join(into, name), 0o755)
  }
  return into
}

const MARIADB_1011 = { 'mariadb-dump': PRINTED['mariadb-dump 10.11'], mariadb: PRINTED['mariadb 10.11'] }
const MYSQL_80 = { mysqldump: PRINTED['mysqldump 8.0'], mysql: PRINTED['mysql 8.0'] }

describe('a program', () => {
  it.each<[keyof typeof PRINTED, 'MariaDB' | 'MySQL', number]>([
    ['mysqldump 5.7', 'MySQL', 50_744],
    ['mysql 5.7', 'MySQL', 50_744],
    ['mysqldump 8.0', 'MySQL', 80_036],
    ['mysql 8.0', 'MySQL', 80_036],
    ['mysqldump 8.0 of Ubuntu', 'MySQL', 80_039],
    ['mysqldump of Percona', 'MySQL', 80_036],
    ['mysqldump 8.4', 'MySQL', 80_403],
    ['mysqldump of Homebrew', 'MySQL', 90_100],
    ['mariadb-dump 10.11', 'MariaDB', 101_119],
    ['mariadb 10.11', 'MariaDB', 101_119],
    ['mysqldump of MariaDB', 'MariaDB', 100_612],
    ['mysql of MariaDB', 'MariaDB', 100_612],
    ['mariadb-dump 11.4', 'MariaDB', 110_402],
    ['mariadb 11.4', 'MariaDB', 110_402],
    ['mysqldump that warns', 'MariaDB', 110_402],
  ])('is known by what it prints: %s', (name, flavour, version) => {
    const read = readToolVersion(PRINTED[name])
    expect([read?.flavour.name, read?.version]).toEqual([flavour, version])
  })

  it.each(['', 'pg_dump (PostgreSQL) 15.20', 'mysqldump'])('is none of ours if it prints %j', (printed) => {
    expect(readToolVersion(printed)).toBeNull()
  })
})

describe('findClientTools', () => {
  const find = (configuredDirectory: string | null, path: string) =>
    findClientTools({ configuredDirectory, path }, [])

  it('finds both flavours in one directory, each by its own programs', async () => {
    await install({ ...MARIADB_1011, ...MYSQL_80 })
    const found = await find(null, directory)
    expect(found.map(({ flavour, dump, versionText }) => [flavour.name, dump, versionText])).toEqual([
      ['MariaDB', join(directory, 'mariadb-dump'), '10.11.19'],
      ['MySQL', join(directory, 'mysqldump'), '8.0.36'],
    ])
  })

  it('takes MariaDB for what it is where it goes by the name of MySQL', async () => {
    await install({ mysqldump: PRINTED['mysqldump of MariaDB'], mysql: PRINTED['mysql of MariaDB'] })
    const [tools, ...more] = await find(null, directory)
    expect([tools?.flavour, tools?.versionText, more]).toEqual([MARIADB, '10.6.12', []])
  })

  it('leaves out what is incomplete, of two series, or no program', async () => {
    await install({ 'mariadb-dump': PRINTED['mariadb-dump 10.11'], mysqldump: PRINTED['mysqldump 8.0'] })
    const mixed = await install(
      { mysqldump: PRINTED['mysqldump 8.0'], mysql: PRINTED['mysql 8.4'] },
      `${directory}b`,
    )
    const broken = await install({ mysqldump: 'Segmentation fault', mysql: '' }, `${directory}c`)
    const path = [directory, mixed, broken, '/nowhere', 'relative', ''].join(':')
    expect(await find(null, path)).toEqual([])
  })

  it('looks first where the operator says, and once in each directory', async () => {
    await install(MARIADB_1011)
    const own = await install(MARIADB_1011, `${directory}own`)
    await symlink(directory, `${directory}link`)
    const found = await find(own, `${directory}link:${directory}`)
    expect(found.map(({ client }) => client)).toEqual([join(own, 'mariadb'), join(directory, 'mariadb')])
  })
})

describe('chooseTools', () => {
  const client = (flavour: ClientTools['flavour'], version: number): ClientTools => ({
    ...{ flavour, version, dump: `/${version}/dump`, client: `/${version}/client` },
    versionText: `${version}`,
  })
  const installed = [
    ...[100_612, 101_119, 110_402].map((version) => client(MARIADB, version)),
    ...[50_744, 80_036, 80_403].map((version) => client(MYSQL, version)),
  ]

  it.each([
    ['10.11.2-MariaDB', 101_119],
    ['10.11.99-MariaDB', 101_119],
    ['10.6.1-MariaDB', 100_612],
    ['10.5.9-MariaDB', 100_612],
    ['10.9.9-MariaDB', 101_119],
    ['11.0.2-MariaDB', 110_402],
    ['5.7.44-log', 50_744],
    ['8.0.40', 80_036],
    ['8.3.0', 80_403],
  ])('takes for %s the same series or the next one of its flavour', (server, version) => {
    expect(chooseTools(installed, serverFacts(server)).version).toBe(version)
  })

  it('says what is too old for what, and what to install', () => {
    const error = throwsWith('TOOL_TOO_OLD', () => chooseTools(installed, serverFacts('11.8.3-MariaDB')))
    expect(error.message).toMatch(/MariaDB 11\.8\.3.* 110402$/)
    expect(error.hint).toMatch(/mariadb-client of version 11\.8 .* HOLDFAST_MYSQL_BIN_DIR/)
  })

  it('never takes the other flavour', () => {
    const only = installed.filter(({ flavour }) => flavour === MARIADB)
    const error = throwsWith('TOOL_MISSING', () => chooseTools(only, serverFacts('8.0.36')))
    expect(error.message).toBe('the server is MySQL 8.0.36 and no client of MySQL is installed')
    expect(error.hint).toMatch(/mysql-client of version 8\.0 /)
  })
})

describe('Toolbox', () => {
  it('notices what is installed, or removed, later', async () => {
    const toolbox = new Toolbox({ configuredDirectory: null, path: directory }, [])
    const server = serverFacts('10.11.19-MariaDB')
    await expect(toolbox.toolsFor(server)).rejects.toMatchObject({ code: 'TOOL_MISSING' })
    await install(MARIADB_1011)
    expect((await toolbox.toolsFor(server)).dump).toBe(join(directory, 'mariadb-dump'))
    await rm(join(directory, 'mariadb'))
    await expect(toolbox.toolsFor(server)).rejects.toMatchObject({ code: 'TOOL_MISSING' })
  })
})
