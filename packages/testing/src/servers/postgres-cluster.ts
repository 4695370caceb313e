import { execFile } from 'node:child_process'
import { chown, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { PostgresPrograms } from './postgres-programs.ts'
import type { Credentials } from './unprivileged-user.ts'

/** The superuser of every private server. */
export const SUPERUSER = 'holdfast'

/** What a new cluster is like. */
export interface ClusterOptions {
  /** More options of initdb, e.g. `--locale-provider=icu`; a locale is C if none is given. */
  readonly initdb?: readonly string[]
  /** Lines that pg_hba.conf begins with. */
  readonly hba?: readonly string[]
}

/** Makes the cluster in `data` below a directory. Every login needs its password, over the socket too. */
export async function initialiseCluster(
  programs: PostgresPrograms,
  directory: string,
  password: string,
  user: Credentials | null,
  { initdb = [], hba = [] }: ClusterOptions,
): Promise<void> {
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user !== null) await chown(passwordFile, user.uid, user.gid)
  const hasLocale = initdb.some((option) => option.includes('locale'))
  const data = join(directory, 'data')
  const options = [
    '--no-sync',
    ...(hasLocale ? [] : ['--no-locale']),
    '--encoding=UTF8',
    '--auth=scram-sha-256',
    `--username=${SUPERUSER}`,
    `--pgdata=${data}`,
    `--pwfile=${passwordFile}`,
    ...initdb,
  ]
  await promisify(execFile)(programs.initdb, options, { cwd: directory, ...user })
  await rm(passwordFile)
  if (hba.length === 0) return
  const hbaFile = join(data, 'pg_hba.conf')
  await writeFile(hbaFile, [...hba, await readFile(hbaFile, 'utf8')].join('\n'))
}

/** A server of which another one becomes a standby. */
export interface Primary {
  readonly port: number
  readonly superuser: { readonly name: string; readonly password: string }
}

/** Makes the cluster in `data` below a directory as a copy of a running one, which follows that from then on. */
export async function copyCluster(
  programs: PostgresPrograms,
  directory: string,
  { port, superuser }: Primary,
  user: Credentials | null,
): Promise<void> {
  const place = ['--host=127.0.0.1', `--port=${port}`, `--username=${superuser.name}`]
  const how = ['--no-password', '--checkpoint=fast', '--no-sync', '--write-recovery-conf']
  const env = { ...process.env, PGPASSWORD: superuser.password }
  await promisify(execFile)(
    join(dirname(programs.postgres), 'pg_basebackup'),
    [...place, ...how, `--pgdata=${join(directory, 'data')}`],
    { cwd: directory, env, ...user },
  )
}
