import type { SslOptions } from 'mysql2'
import { readTlsFiles } from '../client-server/tls-files.ts'
import type { MysqlConnection } from './mysql-url.ts'

/** How to connect: over TLS with these options, or plainly. */
export type Tls = SslOptions | null

/** What to try, in this order. Rejects with INVALID_CONNECTION for files that cannot be read. */
export async function tlsAttempts(connection: MysqlConnection): Promise<readonly Tls[]> {
  const { socket, sslMode } = connection
  if (socket !== null || sslMode === 'disable') return [null]
  const tls = await tlsOptions(connection)
  return sslMode === 'prefer' ? [tls, null] : [tls]
}

async function tlsOptions(connection: MysqlConnection): Promise<SslOptions> {
  const { ca, client } = await readTlsFiles(connection)
  return {
    // like the programs of MariaDB, a given authority is asked in every mode
    rejectUnauthorized: ca !== null,
    verifyIdentity: connection.sslMode === 'verify-full',
    ...(ca === null ? {} : { ca }),
    ...client,
  }
}
