import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@holdfast/core'
import type { Flavour } from './flavours.ts'
import type { MysqlConnection } from './mysql-url.ts'

/** What a program needs to log in. */
export interface OptionFile {
  /** `--defaults-file=…`, which must be a program's first argument: no other option file is read then. */
  readonly argument: string
  /** Idempotent. */
  remove(): Promise<void>
}

/** Below a file that is no directory: nothing can ever lie there. */
const NOWHERE = '/dev/null/none'
/** The programs read lines of 4096 bytes, and would take the rest for a line of its own. */
const LONGEST_LINE_BYTES = 4_000

/** The environment of a program: nothing in a home directory is read, a login path neither. */
export const TOOL_ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: NOWHERE,
  MYSQL_TEST_LOGIN_FILE: NOWHERE,
}

/**
 * Writes what programs of a flavour need to reach the server into a file that only this user can read. It holds the
 * password, so remove it when they have ended. Rejects with INVALID_CONNECTION for what no option file can hold.
 */
export async function writeOptionFile(
  connection: MysqlConnection,
  directory: string,
  flavour: Flavour,
): Promise<OptionFile> {
  const file = join(directory, `login-${randomUUID()}.cnf`)
  const lines = linesOf(connection, flavour)
  if (lines.some((line) => Buffer.byteLength(line) > LONGEST_LINE_BYTES)) {
    throw new AppError('INVALID_CONNECTION', 'a part of the MySQL URL is too long for the client programs')
  }
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600, flag: 'wx' })
  return { argument: `--defaults-file=${file}`, remove: () => rm(file, { force: true }) }
}

function linesOf(connection: MysqlConnection, flavour: Flavour): readonly string[] {
  const { host, port, socket, user, password, sslMode, connectTimeoutMs } = connection
  const { sslRootCert, sslCert, sslKey } = connection
  const place =
    socket === null
      ? [`host=${quoted(host)}`, `port=${port}`, 'protocol=tcp']
      : [`socket=${quoted(socket)}`, 'protocol=socket']
  const files = Object.entries({ 'ssl-ca': sslRootCert, 'ssl-cert': sslCert, 'ssl-key': sslKey })
  const named = files.flatMap(([name, path]) => (path === undefined ? [] : [`${name}=${quoted(path)}`]))
  const encrypted = socket === null && sslMode !== 'disable'
  return [
    '[client]',
    ...place,
    `user=${quoted(user)}`,
    ...(password === null ? [] : [`password=${quoted(password)}`]),
    ...(encrypted ? named : []),
    ...flavour.tlsOptions[encrypted ? sslMode : 'disable'],
    // of the client alone: the dump program has no such options
    '[mysql]',
    `connect-timeout=${Math.ceil(connectTimeoutMs / 1000)}`,
    'loose-skip-reconnect',
  ]
}

/** In quotes, in which a hash is no comment and blanks count; `\s` and its like are escapes even there. */
function quoted(value: string): string {
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
  return `"${escaped}"`
}
