import { readFile } from 'node:fs/promises'

/** Whom to start a server as. */
export interface Credentials {
  readonly uid: number
  readonly gid: number
}

/** For servers that refuse to run as root: the user of this name, else `nobody`. Null if we are not root. */
export async function unprivilegedUser(name: string): Promise<Credentials | null> {
  if (process.getuid?.() !== 0) return null
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const wanted of [name, 'nobody']) {
    const [, , uid, gid] = users.find(([user]) => user === wanted) ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error(`this server does not run as root, and there is neither a user ${name} nor nobody`)
}
