import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** A certificate of an authority that has signed nothing. Returns its file. */
export async function makeRoot(directory: string): Promise<string> {
  const file = join(directory, 'other.crt')
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    `${file}.key`,
  ]
  await promisify(execFile)('openssl', ['req', '-x509', ...key, '-subj', '/CN=other', '-out', file])
  return file
}
