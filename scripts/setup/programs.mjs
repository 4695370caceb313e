import { join } from 'node:path'
import { findProgram, TOOLS } from './paths.mjs'
import { SetupProblem } from './problem.mjs'
import { installRedisWrapper } from './redis-in-docker.mjs'
import { commandFor, findManager, installPackages } from './system-installer.mjs'

/** @typedef {import('./system-installer.mjs').ManagerName} ManagerName */

/**
 * @typedef {object} Program
 * @property {string} title
 * @property {readonly string[]} names any of these will do
 * @property {readonly string[]} directories where to look besides PATH
 * @property {Readonly<Record<ManagerName, readonly (readonly string[])[]>>} packages alternatives, the best first
 * @property {readonly string[]} services what the packages would start
 * @property {readonly import('./debian-services.mjs').PackageSettings[]} [debianSettings] what keeps Debian's packages
 *   from making more than programs
 * @property {string} otherwise what a person can do instead of installing it
 * @property {boolean} [optional] without it some checks are less thorough, that is all
 */

/**
 * @typedef {object} EnsureOptions
 * @property {string} path where to look for programs
 * @property {(line: string) => void} say
 * @property {string} [tools] where a stand-in may be put
 * @property {string} [policyPath] the file that Debian's packages ask before they start a service
 * @property {string} [systemRoot] below which the system's settings lie
 */

/** @param {string} name */
function onePackage(name) {
  return { 'apt-get': [[name]], dnf: [[name]], apk: [[name]], pacman: [[name]], brew: [[name]] }
}

/** @typedef {'redis' | 'postgres' | 'mariadb' | 'zstd' | 'sqlite3'} ProgramName */

/** @type {Readonly<Record<ProgramName, Program>>} */
export const PROGRAMS = {
  redis: {
    title: 'Redis',
    names: ['redis-server', 'valkey-server'],
    directories: [],
    packages: {
      ...onePackage('redis'),
      'apt-get': [['redis-server'], ['valkey-server']],
      dnf: [['redis'], ['valkey']],
      apk: [['redis'], ['valkey']],
      pacman: [['redis'], ['valkey']],
    },
    services: ['redis-server', 'valkey-server'],
    otherwise: 'or set HOLDFAST_REDIS_URL to a Redis of yours',
  },
  postgres: {
    title: 'PostgreSQL',
    names: ['postgres'],
    directories: [
      '/usr/lib/postgresql/*/bin',
      '/usr/pgsql-*/bin',
      '/usr/libexec/postgresql*',
      '/opt/homebrew/opt/postgresql*/bin',
      '/usr/local/opt/postgresql*/bin',
    ],
    packages: {
      ...onePackage('postgresql'),
      dnf: [['postgresql-server', 'postgresql-contrib']],
      apk: [['postgresql', 'postgresql-client', 'postgresql-contrib']],
      brew: [['postgresql@17']],
    },
    services: ['postgresql'],
    // Debian's package makes a cluster in /var/lib/postgresql, which nobody asked for
    debianSettings: [
      {
        path: '/etc/postgresql-common/createcluster.d/holdfast-setup.conf',
        content: '# holdfast: temporary, while packages are installed\ncreate_main_cluster = false\n',
      },
    ],
    otherwise: 'the tests start a private server from these programs; no server needs to run',
  },
  mariadb: {
    title: 'MariaDB',
    names: ['mariadbd'],
    directories: ['/usr/sbin', '/usr/libexec', '/usr/local/sbin', '/opt/homebrew/opt/mariadb*/bin'],
    packages: {
      ...onePackage('mariadb'),
      // the first has no service and makes no data directory
      'apt-get': [['mariadb-server-core', 'mariadb-client'], ['mariadb-server']],
      dnf: [['mariadb-server', 'mariadb']],
      apk: [['mariadb', 'mariadb-client']],
      pacman: [['mariadb', 'mariadb-clients']],
    },
    services: ['mariadb', 'mysql'],
    otherwise: 'the tests start a private server from these programs; no server needs to run',
  },
  zstd: {
    title: 'zstd',
    names: ['zstd'],
    directories: [],
    packages: onePackage('zstd'),
    services: [],
    otherwise: 'without it compression runs inside the service, which is slower',
    optional: true,
  },
  sqlite3: {
    title: 'the sqlite3 program',
    names: ['sqlite3'],
    directories: [],
    packages: { ...onePackage('sqlite'), 'apt-get': [['sqlite3']] },
    services: [],
    otherwise: 'tests use it to read backups with a tool that is not ours',
    optional: true,
  },
}

/**
 * Makes sure that a program is on this machine: found, or installed with the system's package manager, or (Redis) run
 * by Docker. Otherwise says exactly what to install. Starts nothing and stops nothing.
 *
 * @param {Program} program
 * @param {EnsureOptions} options
 */
export async function ensureProgram(program, options) {
  const { path, say, tools = TOOLS } = options
  if (findProgram(program.names, path, program.directories) !== null) return
  const tried = await tryToInstall(program, options)
  if (findProgram(program.names, path, program.directories) !== null) return
  if (program === PROGRAMS.redis) {
    tried.push(...(await installRedisWrapper({ path, say, tools })))
    if (findProgram(program.names, path, program.directories) !== null) return
  }
  const advice = [...tried, ...(await adviceFor(program, path))]
  if (program.optional !== true) throw new SetupProblem(`${program.title} is missing`, advice)
  say(`${program.title} is missing: ${advice.join('; ')}`)
}

/**
 * @param {Program} program
 * @param {EnsureOptions} options
 * @returns {Promise<string[]>} why it did not work
 */
async function tryToInstall(program, { path, say, policyPath, systemRoot = '/' }) {
  const manager = await findManager(path)
  if (manager === null) return ['no package manager that this script knows was found']
  if (!manager.permitted) {
    const how = manager.name === 'brew' ? 'does not run as root' : 'needs root, or sudo without a password'
    return [`${manager.name} ${how}, so nothing was installed`]
  }
  const alternatives = program.packages[manager.name]
  const promise = program.services.length > 0 ? ' (its service is not started)' : ''
  say(`installing ${program.title} with ${manager.name}${promise}`)
  try {
    const settings = (program.debianSettings ?? []).map((file) => ({
      ...file,
      path: join(systemRoot, file.path),
    }))
    const policy = policyPath === undefined ? {} : { policyPath }
    await installPackages(manager, alternatives, { services: program.services, settings, ...policy })
    return []
  } catch (error) {
    if (!(error instanceof SetupProblem)) throw error
    return error.message.split('\n').map((line) => line.trim())
  }
}

/**
 * @param {Program} program
 * @param {string} path
 * @returns {Promise<string[]>}
 */
async function adviceFor(program, path) {
  const manager = await findManager(path)
  const packages = manager === null ? undefined : program.packages[manager.name][0]
  const install =
    manager === null || packages === undefined
      ? `Install ${program.title} so that ${program.names[0]} is on PATH`
      : `Install it: ${commandFor(manager.name, packages)}`
  return [`${install} (${program.otherwise}).`]
}
