import { readFile, stat } from 'node:fs/promises'
import { AppError } from '@holdfast/core'
import type { TlsSettings } from './tls-settings.ts'

/** What the files hold that a URL names; null for those that it does not name. */
export interface TlsFiles {
  readonly ca: string | null
  /** Present only together. */
  readonly client: { readonly cert: string; readonly key: string } | null
}

/** Reads them. Rejects with INVALID_CONNECTION for what cannot be read, and for a key that others may read. */
export async function readTlsFiles({ sslRootCert, sslCert, sslKey }: TlsSettings<string>): Promise<TlsFiles> {
  const ca = sslRootCert === undefined ? null : await readPem(sslRootCert, 'sslrootcert')
  const cert = sslCert === undefined ? null : await readPem(sslCert, 'sslcert')
  const key = sslKey === undefined ? null : await readKey(sslKey)
  return { ca, client: cert === null || key === null ? null : { cert, key } }
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

/** Some tools refuse a key that others may read, so we do. */
async function readKey(path: string): Promise<string> {
  const key = await readPem(path, 'sslkey')
  const { mode, uid } = await stat(path)
  if ((mode & (uid === 0 ? 0o037 : 0o077)) === 0) return key
  throw new AppError('INVALID_CONNECTION', 'the file of the parameter sslkey may be read by others', {
    hint: 'chmod 600 it',
  })
}
