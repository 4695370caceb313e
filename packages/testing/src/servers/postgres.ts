import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import type { PostgresPrograms } from './postgres-programs.ts'
import { findPostgresPrograms } from './postgres-programs.ts'
import type { Credentials } from './unprivileged-user.ts'
import { unprivilegedUser } from './unprivileged-user.ts'

/** A private PostgreSQL with its data in a temporary directory, reachable over loopback only. */
export interface PostgresServer {
  /** Of the database `postgres`, with the password in it. */
  readonly url: string
  readonly port: number
  readonly directory: string
  /** Makes an empty database and returns its URL. */
  createDatabase(): Promise<string>
  /** Ends the server as a crash would; the data stays. */
  halt(): Promise<void>
  /** Starts it again after {@link halt}, on the same port. */
  resume(): Promise<void>
  /** Ends it and removes all it had. */
  stop(): Promise<void>
}

const USER = 'holdfast'
const READY_MS = 60_000
const POLL_MS = 50

/*
 * Runs the server as a child and ends it when standard input closes: the kernel closes that when the test process
 * dies, however it dies. The directory goes with the server unless a file says that it starts again.
 */
const KEEPER = `
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( read -r _ <&3; kill -CONT $server; kill -QUIT $server ) 2>/dev/null &
wait $server
[ -e "$HOLDFAST_TEST_DIR/keep" ] || rm -rf "$HOLDFAST_TEST_DIR"
`

/** Starts a server of the newest version installed. Rejects, saying what to install, if there is none. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = await findPostgresPrograms()
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-postgres-'))
  const user = await unprivilegedUser('postgres')
  const password = randomBytes(12).toString('hex')
  try {
    if (user !== null) await chown(directory, user.uid, user.gid)
    await initialise(programs, directory, password, user)
    const server = new PrivatePostgres(programs, directory, password, user, await freePort())
    await server.resume()
    return server
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

async function initialise(
  programs: PostgresPrograms,
  directory: string,
  password: string,
  user: Credentials | null,
): Promise<void> {
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user !== null) await chown(passwordFile, user.uid, user.gid)
  const options = [
    '--no-sync',
    '--no-locale',
    '--encoding=UTF8',
    '--auth=scram-sha-256',
    `--username=${USER}`,
  ]
  const where = [`--pgdata=${join(directory, 'data')}`, `--pwfile=${passwordFile}`]
  await promisify(execFile)(programs.initdb, [...options, ...where], { cwd: directory, ...user })
  await rm(passwordFile)
}

class PrivatePostgres implements PostgresServer {
  readonly url: string
  readonly port: number
  readonly directory: string
  readonly #programs: PostgresPrograms
  readonly #password: string
  readonly #user: Credentials | null
  #keeper: ChildProcess | null = null

  constructor(
    programs: PostgresPrograms,
    directory: string,
    password: string,
    user: Credentials | null,
    port: number,
  ) {
    this.#programs = programs
    this.#password = password
    this.#user = user
    this.directory = directory
    this.port = port
    this.url = this.#urlOf('postgres')
  }

  async createDatabase(): Promise<string> {
    const name = `t${randomUUID().replaceAll('-', '')}`
    const where = ['--host=127.0.0.1', `--port=${this.port}`, `--username=${USER}`]
    const env = { ...process.env, PGPASSWORD: this.#password }
    await promisify(execFile)(this.#programs.createdb, [...where, name], { cwd: this.directory, env })
    return this.#urlOf(name)
  }

  async halt(): Promise<void> {
    await (await open(join(this.directory, 'keep'), 'w')).close()
    await this.#end()
  }

  async resume(): Promise<void> {
    const logFile = join(this.directory, 'log')
    const log = await open(logFile, 'w')
    const command = [this.#programs.postgres, '-D', join(this.directory, 'data'), ...this.#settings()]
    const keeper = spawn('/bin/sh', ['-c', KEEPER, 'keeper', ...command], {
      cwd: this.directory,
      env: { ...process.env, HOLDFAST_TEST_DIR: this.directory },
      stdio: ['pipe', log.fd, log.fd],
      ...this.#user,
    })
    this.#keeper = keeper
    await log.close()
    for (let waitedMs = 0; waitedMs < READY_MS; waitedMs += POLL_MS) {
      const text = await readFile(logFile, 'utf8').catch(() => '')
      if (text.includes('ready to accept connections'))
        return await rm(join(this.directory, 'keep'), { force: true })
      if (keeper.exitCode !== null) throw new Error(`PostgreSQL did not start:\n${text}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    await this.#end()
    throw new Error(`PostgreSQL was not ready within ${READY_MS} ms`)
  }

  async stop(): Promise<void> {
    await this.#end()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #end(): Promise<void> {
    const keeper = this.#keeper
    this.#keeper = null
    if (keeper === null || keeper.exitCode !== null) return
    const exited = once(keeper, 'exit')
    keeper.stdin?.end()
    await exited
  }

  #settings(): readonly string[] {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: this.port,
      unix_socket_directories: this.directory,
      max_connections: 200,
      shared_buffers: '32MB',
      fsync: 'off',
      full_page_writes: 'off',
      log_min_messages: 'log',
    }
    return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  }

  #urlOf(database: string): string {
    return `postgres://${USER}:${this.#password}@127.0.0.1:${this.port}/${database}`
  }
}
