import { chown, mkdir } from 'node:fs/promises'
import type { Credentials } from './unprivileged-user.ts'

/** Makes a directory that the server may write into. */
export async function makeServerDirectory(path: string, user: Credentials | null): Promise<void> {
  await mkdir(path, { mode: 0o700 })
  if (user !== null) await chown(path, user.uid, user.gid)
}
