import { randomBytes, randomUUID } from 'node:crypto'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from './free-port.ts'
import type { ClusterOptions, Primary } from './postgres-cluster.ts'
import { copyCluster, initialiseCluster, SUPERUSER } from './postgres-cluster.ts'
import type { PostgresPrograms } from './postgres-programs.ts'
import { findPostgresPrograms } from './postgres-programs.ts'
import { makeServerDirectory } from './server-directory.ts'
import type { ServerKind } from './server-process.ts'
import { ServerProcess } from './server-process.ts'
import type { ServerTls } from './server-tls.ts'
import { makeServerTls } from './server-tls.ts'
import type { Credentials } from './unprivileged-user.ts'
import { unprivilegedUser } from './unprivileged-user.ts'

const KIND: ServerKind = {
  title: 'PostgreSQL',
  ready: /ready to accept (?:read-only )?connections/,
  pidFile: 'data/postmaster.pid',
  haltSignal: 'QUIT',
  endSignal: 'QUIT',
}

/** What a private server is like. */
export interface PostgresOptions extends ClusterOptions {
  /** Settings of postgresql.conf, over those that a private server has. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Offers TLS with a certificate for these names and addresses, the first of which is its common name. */
  readonly tlsHosts?: readonly string[]
  /** Makes it a standby of that server, which has to run, with the same superuser: nothing can be written there. */
  readonly standbyOf?: Primary
}

/** A role that may log in. */
export interface PostgresRole {
  readonly name: string
  readonly password: string
}

/** What is asked of a new role beyond LOGIN. */
export interface RoleOptions extends Partial<PostgresRole> {
  /** In SQL, e.g. `CREATEDB`. An ordinary role if there are none. */
  readonly attributes?: string
}

/** A session that has carried out a statement in a transaction that is still open, and so keeps its locks. */
export interface HeldSession {
  readonly pid: number
  /** Rolls it back. Resolves also if the server has ended the session meanwhile. */
  release(): Promise<void>
}

/** One row as the `pg` library reads it. */
export type PostgresRow = Readonly<Record<string, unknown>>

/** A private PostgreSQL with its data in a temporary directory, reachable over loopback and its socket only. */
export interface PostgresServer {
  /** Of the database `postgres`, with the superuser's password in it. */
  readonly url: string
  readonly port: number
  /** Where its socket lies. */
  readonly directory: string
  readonly programs: PostgresPrograms
  readonly superuser: PostgresRole
  /** Null unless it was started with hosts for TLS. */
  readonly tls: ServerTls | null
  /** The URL of a database over loopback, with a password in it. */
  urlOf(database: string, role?: PostgresRole): string
  /** Makes an empty database and returns its URL; the options are SQL, e.g. `TEMPLATE template0 ENCODING 'LATIN1'`. */
  createDatabase(name?: string, options?: string): Promise<string>
  createRole(options?: RoleOptions): Promise<PostgresRole>
  /** Carries out one statement, or several without values, as superuser. Returns the rows of the last one. */
  sql(database: string, text: string, values?: readonly unknown[]): Promise<readonly PostgresRow[]>
  /** Keeps the locks that statements take. */
  hold(database: string, text: string): Promise<HeldSession>
  /** Makes a directory that the server may use, for a tablespace. */
  makeDirectory(name: string): Promise<string>
  log(): Promise<string>
  /** Its processes, those of sessions included; none while it is not running. */
  processes(): Promise<readonly number[]>
  /** Ends the server at once, telling its clients; the data stays. */
  halt(): Promise<void>
  /** Ends all of its processes with SIGKILL, telling nobody; the data stays. */
  kill(): Promise<void>
  /** Starts it again after {@link halt} or {@link kill}, on the same port. */
  resume(): Promise<void>
  /** Stops all of its processes where they are, so that it neither answers nor refuses; {@link thaw} lets them go on. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Ends it and removes all it had. */
  stop(): Promise<void>
}

/** Starts a server of the newest version installed. Rejects, saying what to install, if there is none. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const programs = await findPostgresPrograms()
  // a short name: paths of sockets are limited to about 100 bytes
  const directory = await mkdtemp(join(tmpdir(), 'hf-pg-'))
  const user = await unprivilegedUser('postgres')
  const { tlsHosts, standbyOf } = options
  const superuser = standbyOf?.superuser ?? { name: SUPERUSER, password: randomBytes(12).toString('hex') }
  try {
    if (user !== null) await chown(directory, user.uid, user.gid)
    if (standbyOf === undefined)
      await initialiseCluster(programs, directory, superuser.password, user, options)
    else await copyCluster(programs, directory, standbyOf, user)
    const tls = tlsHosts === undefined ? null : await makeServerTls(directory, user, tlsHosts)
    const port = await freePort()
    const settings = { ...settingsFor(port, directory, tls), ...options.settings }
    const command = [programs.postgres, '-D', join(directory, 'data'), ...asArguments(settings)]
    const process = new ServerProcess(KIND, directory, command, user)
    await process.start()
    return new PrivatePostgres(programs, process, port, superuser, tls, user)
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

function settingsFor(port: number, directory: string, tls: ServerTls | null) {
  return {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: directory,
    max_connections: 200,
    shared_buffers: '32MB',
    fsync: 'off',
    full_page_writes: 'off',
    log_min_messages: 'log',
    ...(tls === null
      ? {}
      : {
          ssl: 'on',
          ssl_cert_file: tls.serverCertificate,
          ssl_key_file: tls.serverKey,
          ssl_ca_file: tls.rootCertificate,
        }),
  }
}

function asArguments(settings: Readonly<Record<string, string | number>>): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

class PrivatePostgres implements PostgresServer {
  readonly url: string
  readonly port: number
  readonly directory: string
  readonly programs: PostgresPrograms
  readonly superuser: PostgresRole
  readonly tls: ServerTls | null
  readonly #process: ServerProcess
  readonly #user: Credentials | null

  constructor(
    programs: PostgresPrograms,
    process: ServerProcess,
    port: number,
    superuser: PostgresRole,
    tls: ServerTls | null,
    user: Credentials | null,
  ) {
    this.programs = programs
    this.#process = process
    this.directory = process.directory
    this.port = port
    this.superuser = superuser
    this.tls = tls
    this.#user = user
    this.url = this.urlOf('postgres')
  }

  urlOf(database: string, { name, password }: PostgresRole = this.superuser): string {
    const [user, secret, path] = [name, password, database].map(encodeURIComponent)
    return `postgres://${user}:${secret}@127.0.0.1:${this.port}/${path}`
  }

  async createDatabase(name = `t${randomUUID().replaceAll('-', '')}`, options = ''): Promise<string> {
    await this.sql('postgres', `CREATE DATABASE ${pg.escapeIdentifier(name)} ${options}`)
    return this.urlOf(name)
  }

  async createRole(options: RoleOptions = {}): Promise<PostgresRole> {
    const { name = `r${randomUUID().replaceAll('-', '')}`, attributes = '' } = options
    const { password = randomBytes(12).toString('hex') } = options
    const secret = pg.escapeLiteral(password)
    await this.sql(
      'postgres',
      `CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN ${attributes} PASSWORD ${secret}`,
    )
    return { name, password }
  }

  async sql(database: string, text: string, values?: readonly unknown[]): Promise<readonly PostgresRow[]> {
    const client = await this.#connect(database)
    try {
      const result: unknown = await client.query(text, values === undefined ? undefined : [...values])
      return rowsOf(result)
    } finally {
      await client.end()
    }
  }

  async hold(database: string, text: string): Promise<HeldSession> {
    const client = await this.#connect(database)
    const rows = rowsOf(await client.query('BEGIN; SELECT pg_backend_pid() AS pid'))
    await client.query(text)
    return { pid: Number(rows[0]?.pid), release: () => client.end() }
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

  async #connect(database: string): Promise<pg.Client> {
    // not by URL: the library does not decode all of a database's name
    const { name: user, password } = this.superuser
    const where = { host: '127.0.0.1', port: this.port, database }
    const client = new pg.Client({ ...where, user, password, application_name: 'test' })
    // a session that the server ends while nobody waits for an answer of it is no failure of the test process
    client.on('error', () => {})
    await client.connect()
    return client
  }
}

/** Several statements at once have several results, of which the library's types know nothing. */
function rowsOf(result: unknown): readonly PostgresRow[] {
  const last: unknown = Array.isArray(result) ? result.at(-1) : result
  if (typeof last !== 'object' || last === null || !('rows' in last) || !Array.isArray(last.rows)) return []
  return last.rows
}
