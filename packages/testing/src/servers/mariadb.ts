import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MysqlRow } from '../mysql/client.ts'
import { mysqlName, mysqlQuery, openMysqlClient } from '../mysql/client.ts'
import { freePort } from './free-port.ts'
import type { MariadbPrograms } from './mariadb-programs.ts'
import { findMariadbPrograms } from './mariadb-programs.ts'
import { makeServerDirectory } from './server-directory.ts'
import type { ServerKind } from './server-process.ts'
import { ServerProcess } from './server-process.ts'
import type { ServerTls } from './server-tls.ts'
import { makeServerTls } from './server-tls.ts'
import type { Credentials } from './unprivileged-user.ts'
import { unprivilegedUser } from './unprivileged-user.ts'

const KIND: ServerKind = {
  title: 'MariaDB',
  ready: /ready for connections/,
  pidFile: 'pid',
  haltSignal: 'TERM',
  // nobody waits for a shutdown in good order when the data goes too
  endSignal: 'KILL',
}

/** What a private server is like. */
export interface MariadbOptions {
  /** Options of the server without their dashes, over those that a private server has; null for one without a value. */
  readonly settings?: Readonly<Record<string, string | number | null>>
  /** Writes a binary log, as replicated servers do. */
  readonly binlog?: boolean
  /** Offers TLS with a certificate for these names and addresses, the first of which is its common name. */
  readonly tlsHosts?: readonly string[]
}

/** Who may log in. */
export interface MariadbAccount {
  readonly name: string
  /** From where, as the server writes it: `%` is anywhere. */
  readonly host: string
  readonly password: string
}

/** What is asked of a new account. */
export interface AccountOptions extends Partial<MariadbAccount> {
  /** Each as it stands between GRANT and TO, e.g. `SELECT ON shop.*`. None if there are none. */
  readonly grants?: readonly string[]
}

/** A session that has carried out a statement in a transaction that is still open, and so keeps its locks. */
export interface HeldMariadbSession {
  /** What the server calls it in its process list. */
  readonly id: number
  /** Rolls it back. Resolves when its locks are free, also if the server has ended the session meanwhile. */
  release(): Promise<void>
}

/** A private MariaDB with its data in a temporary directory, reachable over loopback and its socket only. */
export interface MariadbServer {
  /** Of the server, with no schema and the administrator's password in it. */
  readonly url: string
  readonly port: number
  readonly socket: string
  readonly directory: string
  readonly programs: MariadbPrograms
  /** May do everything, from anywhere. There is no other account but the server's own, which cannot log in. */
  readonly administrator: MariadbAccount
  /** Null unless it was started with hosts for TLS. */
  readonly tls: ServerTls | null
  /** The URL of a schema (null for the server) over loopback, with a password in it. */
  urlOf(database: string | null, account?: Pick<MariadbAccount, 'name' | 'password'>): string
  /** Makes an empty schema and returns its URL; the options are SQL, e.g. `CHARACTER SET latin1`. */
  createDatabase(name?: string, options?: string): Promise<string>
  createAccount(options?: AccountOptions): Promise<MariadbAccount>
  /** Carries out one statement, or several without values, as administrator. Returns the rows of the last with any. */
  sql(database: string | null, text: string, values?: readonly unknown[]): Promise<readonly MysqlRow[]>
  /** Keeps the locks that statements take. */
  hold(database: string | null, text: string): Promise<HeldMariadbSession>
  /** Makes a directory that the server may use, for a table's data. */
  makeDirectory(name: string): Promise<string>
  log(): Promise<string>
  /** Its processes; none while it is not running. */
  processes(): Promise<readonly number[]>
  /** Shuts the server down, telling its clients; the data stays. */
  halt(): Promise<void>
  /** Ends it with SIGKILL, telling nobody; the data stays. */
  kill(): Promise<void>
  /** Starts it again after {@link halt} or {@link kill}, on the same port. */
  resume(): Promise<void>
  /** Stops it where it is, so that it neither answers nor refuses; {@link thaw} lets it go on. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Ends it and removes all it had. */
  stop(): Promise<void>
}

/** Starts a server. Rejects, saying what to install, if its programs are missing. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const programs = await findMariadbPrograms()
  // a short name: paths of sockets are limited to about 100 bytes
  const directory = await mkdtemp(join(tmpdir(), 'hf-my-'))
  const user = await unprivilegedUser('mysql')
  const administrator = { name: 'holdfast', host: '%', password: randomBytes(12).toString('hex') }
  try {
    if (user !== null) await chown(directory, user.uid, user.gid)
    await initialise(programs, directory, administrator, user)
    const { tlsHosts } = options
    const tls = tlsHosts === undefined ? null : await makeServerTls(directory, user, tlsHosts)
    const port = await freePort()
    const settings = { ...settingsFor(port, directory, tls, options.binlog ?? false), ...options.settings }
    const command = [programs.server, '--no-defaults', ...asArguments(settings)]
    const process = new ServerProcess(KIND, directory, command, user)
    await process.start()
    return new PrivateMariadb(programs, process, port, administrator, tls, user)
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

/** What its files look like, from the first one on. */
const STORAGE = {
  'innodb-log-file-size': '32M',
  'innodb-buffer-pool-size': '64M',
  // what it writes survives the end of the process, though not that of the machine
  'innodb-flush-method': 'nosync',
  'debug-no-sync': null,
}

async function initialise(
  programs: MariadbPrograms,
  directory: string,
  { name, host, password }: MariadbAccount,
  user: Credentials | null,
): Promise<void> {
  const accounts = join(directory, 'accounts.sql')
  const lines = [
    `DELETE FROM mysql.global_priv WHERE User = 'root' OR User = '';`,
    'FLUSH PRIVILEGES;',
    `CREATE USER '${name}'@'${host}' IDENTIFIED BY '${password}';`,
    `GRANT ALL ON *.* TO '${name}'@'${host}' WITH GRANT OPTION;`,
  ]
  await writeFile(accounts, `${lines.join('\n')}\n`, { mode: 0o600 })
  if (user !== null) await chown(accounts, user.uid, user.gid)
  const options = [
    '--no-defaults',
    `--datadir=${join(directory, 'data')}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-name-resolve',
    `--extra-file=${accounts}`,
    `--tmpdir=${join(directory, 'tmp')}`,
    ...asArguments(STORAGE),
  ]
  await makeServerDirectory(join(directory, 'tmp'), user)
  await promisify(execFile)(programs.install, options, { cwd: directory, ...user })
  await rm(accounts)
}

function settingsFor(port: number, directory: string, tls: ServerTls | null, binlog: boolean) {
  return {
    ...STORAGE,
    datadir: join(directory, 'data'),
    tmpdir: join(directory, 'tmp'),
    'pid-file': join(directory, 'pid'),
    socket: join(directory, 'socket'),
    'bind-address': '127.0.0.1',
    port,
    'skip-name-resolve': null,
    'max-connections': 200,
    'innodb-flush-log-at-trx-commit': 2,
    'sync-frm': 0,
    'innodb-buffer-pool-dump-at-shutdown': 0,
    ...(binlog ? { 'log-bin': join(directory, 'data', 'binlog'), 'server-id': 1 } : {}),
    ...(tls === null
      ? {}
      : {
          'ssl-cert': tls.serverCertificate,
          'ssl-key': tls.serverKey,
          'ssl-ca': tls.rootCertificate,
        }),
  }
}

function asArguments(settings: Readonly<Record<string, string | number | null>>): readonly string[] {
  return Object.entries(settings).map(([name, value]) =>
    value === null ? `--${name}` : `--${name}=${value}`,
  )
}

class PrivateMariadb implements MariadbServer {
  readonly url: string
  readonly port: number
  readonly socket: string
  readonly directory: string
  readonly programs: MariadbPrograms
  readonly administrator: MariadbAccount
  readonly tls: ServerTls | null
  readonly #process: ServerProcess
  readonly #user: Credentials | null

  constructor(
    programs: MariadbPrograms,
    process: ServerProcess,
    port: number,
    administrator: MariadbAccount,
    tls: ServerTls | null,
    user: Credentials | null,
  ) {
    this.programs = programs
    this.#process = process
    this.directory = process.directory
    this.socket = join(process.directory, 'socket')
    this.port = port
    this.administrator = administrator
    this.tls = tls
    this.#user = user
    this.url = this.urlOf(null)
  }

  urlOf(
    database: string | null,
    { name, password }: Pick<MariadbAccount, 'name' | 'password'> = this.administrator,
  ): string {
    const [user, secret, path] = [name, password, database ?? ''].map(encodeURIComponent)
    return `mysql://${user}:${secret}@127.0.0.1:${this.port}/${path}`
  }

  async createDatabase(name = `t${randomUUID().replaceAll('-', '')}`, options = ''): Promise<string> {
    await this.sql(null, `CREATE DATABASE ${mysqlName(name)} ${options}`)
    return this.urlOf(name)
  }

  async createAccount(options: AccountOptions = {}): Promise<MariadbAccount> {
    const { name = `a${randomUUID().replaceAll('-', '')}`, host = '%', grants = [] } = options
    const { password = randomBytes(12).toString('hex') } = options
    await this.sql(null, 'CREATE USER ?@? IDENTIFIED BY ?', [name, host, password])
    for (const grant of grants) await this.sql(null, `GRANT ${grant} TO ?@?`, [name, host])
    return { name, host, password }
  }

  sql(database: string | null, text: string, values?: readonly unknown[]): Promise<readonly MysqlRow[]> {
    return mysqlQuery(this.urlOf(database), text, values)
  }

  async hold(database: string | null, text: string): Promise<HeldMariadbSession> {
    const client = await openMysqlClient(this.urlOf(database))
    await client.query('START TRANSACTION')
    await client.query(text)
    return { id: client.id, release: () => client.end() }
  }

  async makeDirectory(name: string): Promise<string> {
    const path = join(this.directory, name)
    await makeServerDirectory(path, this.#user)
    return path
  }

  log(): Promise<string> {
    return this.#process.log()
  }

  processes(): Promise<readonly number[]> {
    return this.#process.processes()
  }

  halt(): Promise<void> {
    return this.#process.halt()
  }

  kill(): Promise<void> {
    return this.#process.kill()
  }

  resume(): Promise<void> {
    return this.#process.start()
  }

  freeze(): Promise<void> {
    return this.#process.freeze()
  }

  thaw(): Promise<void> {
    return this.#process.thaw()
  }

  stop(): Promise<void> {
    return this.#process.remove()
  }
}
