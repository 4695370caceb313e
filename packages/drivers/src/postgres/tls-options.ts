import { readFile, stat } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { AppError } from '@holdfast/core'
import type { PostgresConnection } from './postgres-url.ts'

/** How to connect: over TLS with these options, or plainly. */
export type Tls = ConnectionOptions | false

const PLAIN = false

/** What to try, in this order. Throws INVALID_CONNECTION for files that cannot be read. */
export async function tlsAttempts(connection: PostgresConnection): Promise<readonly Tls[]> {
  const { host, sslMode } = connection
  if (host.startsWith('/') || sslMode === 'disable') return [PLAIN]
  const tls = await tlsOptions(connection)
  if (sslMode === 'allow') return [PLAIN, tls]
  if (sslMode === 'prefer') return [tls, PLAIN]
  return [tls]
}

async function tlsOptions({
  sslMode,
  sslRootCert,
  sslCert,
  sslKey,
}: PostgresConnection): Promise<ConnectionOptions> {
  const ca = sslRootCert === undefined ? null : await readPem(sslRootCert, 'sslrootcert')
  const cert = sslCert === undefined ? null : await readPem(sslCert, 'sslcert')
  const key = sslKey === undefined ? null : await readKey(sslKey)
  return {
    // like libpq, a given authority is asked in every mode
    rejectUnauthorized: ca !== null,
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
    ...(sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  }
}

async function readPem(path: string, parameter: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new AppError('INVALID_CONNECTION', `the file of the parameter ${parameter} cannot be read`, {
      hint: 'it must be there and readable where the worker runs, and where targets are checked',
      cause,
    })
  }
}

/** The tools refuse a key that others may read, so we do. */
async function readKey(path: string): Promise<string> {
  const key = await readPem(path, 'sslkey')
  const { mode, uid } = await stat(path)
  if ((mode & (uid === 0 ? 0o037 : 0o077)) === 0) return key
  throw new AppError('INVALID_CONNECTION', 'the file of the parameter sslkey may be read by others', {
    hint: 'chmod 600 it',
  })
}
