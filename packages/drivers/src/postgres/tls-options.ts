import type { ConnectionOptions } from 'node:tls'
import { readTlsFiles } from '../client-server/tls-files.ts'
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

async function tlsOptions(connection: PostgresConnection): Promise<ConnectionOptions> {
  const { ca, client } = await readTlsFiles(connection)
  return {
    // like libpq, a given authority is asked in every mode
    rejectUnauthorized: ca !== null,
    ...(ca === null ? {} : { ca }),
    ...client,
    ...(connection.sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  }
}
