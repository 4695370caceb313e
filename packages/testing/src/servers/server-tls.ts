import { execFile } from 'node:child_process'
import { chmod, chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeServerDirectory } from './server-directory.ts'
import type { Credentials } from './unprivileged-user.ts'

/** Files of a private certificate authority, and what it signed. */
export interface ServerTls {
  /** Of the authority; what `sslrootcert` names. */
  readonly rootCertificate: string
  readonly serverCertificate: string
  readonly serverKey: string
  /** A client's certificate whose common name is this account, with its key (0600). */
  clientOf(account: string): Promise<{ readonly certificate: string; readonly key: string }>
}

/** Makes an authority and a certificate of the server for these hosts with the `openssl` program. */
export async function makeServerTls(
  serverDirectory: string,
  user: Credentials | null,
  hosts: readonly string[],
): Promise<ServerTls> {
  const directory = join(serverDirectory, 'tls')
  await makeServerDirectory(directory, user)
  const file = (name: string) => join(directory, name)
  await openssl(
    ['req', '-x509', ...newKey(file('root.key')), '-subj', '/CN=Holdfast test root'],
    file('root.crt'),
  )
  const sign = async (name: string, commonName: string, extension: string) => {
    const [key, request, certificate] = [file(`${name}.key`), file(`${name}.csr`), file(`${name}.crt`)]
    await openssl(['req', ...newKey(key), '-subj', `/CN=${commonName}`], request)
    await writeFile(file(`${name}.ext`), extension)
    const authority = ['-CA', file('root.crt'), '-CAkey', file('root.key'), '-CAcreateserial']
    await openssl(
      ['x509', '-req', '-in', request, ...authority, '-extfile', file(`${name}.ext`)],
      certificate,
    )
    await chmod(key, 0o600)
    return { certificate, key }
  }
  const server = await sign(
    'server',
    hosts[0] ?? 'localhost',
    `subjectAltName=${hosts.map(alternative).join(',')}\n`,
  )
  if (user !== null) await chown(server.key, user.uid, user.gid)
  let clients = 0
  return {
    rootCertificate: file('root.crt'),
    serverCertificate: server.certificate,
    serverKey: server.key,
    clientOf(account) {
      clients += 1
      return sign(`client-${clients}`, account, 'extendedKeyUsage=clientAuth\n')
    },
  }
}

function newKey(file: string): readonly string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file]
}

function alternative(host: string): string {
  return /^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`
}

async function openssl(args: readonly string[], output: string): Promise<void> {
  await promisify(execFile)('openssl', [...args, '-out', output])
}
