import type { BigIntStats } from 'node:fs'
import { chmodSync, chownSync, closeSync, fsyncSync, openSync } from 'node:fs'
import { codeOf } from './failure.ts'

/** Makes names in a directory durable. */
export function syncDirectory(path: string): void {
  syncPath(path)
}

/** Makes the content of a file durable. Not for a database in use: closing it here would drop this process's locks. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Gives a file the mode and, where we may, the owner of another. */
export function likeFile(path: string, model: BigIntStats): void {
  try {
    chownSync(path, Number(model.uid), Number(model.gid))
  } catch (error) {
    // only root may give files away; the mode then keeps others out as it did before
    if (codeOf(error) !== 'EPERM') throw error
  }
  chmodSync(path, Number(model.mode & 0o777n))
}
