import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { HelperFailure } from './failure.ts'

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants

/**
 * Descriptors of one job. Closing any descriptor of a database file drops every POSIX lock that this process holds on
 * it, whoever took it: so they are all closed together, after the last connection.
 */
export class Descriptors {
  readonly #open: number[] = []

  /** Opens an existing regular file, never following a link in its last part and never waiting for a FIFO. */
  open(path: string, mode: 'read' | 'write' = 'read'): number {
    const descriptor = openSync(path, (mode === 'read' ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK)
    this.#open.push(descriptor)
    if (fstatSync(descriptor).isFile()) return descriptor
    throw new HelperFailure('DATABASE_INVALID', `${path} is not a regular file`)
  }

  closeAll(): void {
    for (const descriptor of this.#open.splice(0)) closeSync(descriptor)
  }
}
