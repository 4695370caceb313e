import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, isUuid, validate } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'

/** What the swap needs to know of a dump, beside the dump itself. */
const Kept = Type.Object({
  format: Type.String(),
  keepOwners: Type.Boolean(),
  settings: Type.Union([Type.String(), Type.Null()]),
  rows: Type.Record(Type.String(), Type.Integer()),
})
export type Kept = Static<typeof Kept>

/**
 * The directory in which a verified dump waits for its swap. It bears the operation's id, so that the sweep of
 * temporary files removes it when the operation is over, whatever happened.
 */
export class InPlaceFiles {
  readonly #directory: string

  constructor(scratchDir: string, operationId: string) {
    if (!isUuid(operationId))
      throw new AppError('INVALID_REQUEST', 'the operation id cannot be part of a path')
    this.#directory = join(scratchDir, `${operationId}-in-place`)
  }

  get dump(): string {
    return join(this.#directory, 'dump')
  }

  /** Takes over a dump that lies on the same file system. */
  async keep(path: string, kept: Kept): Promise<void> {
    await this.remove()
    await mkdir(this.#directory, { mode: 0o700 })
    await writeFile(this.#description, JSON.stringify(kept), { mode: 0o600 })
    await rename(path, this.dump)
  }

  /** Null if it is not on this machine. */
  async read(): Promise<Kept | null> {
    const text = await readOrNull(this.#description)
    return text === null ? null : validate('what waits for a restore', Kept, JSON.parse(text))
  }

  /** The transaction in which the dump was loaded last, which may have been committed; null if there was none. */
  async transaction(): Promise<string | null> {
    return readOrNull(this.#transaction)
  }

  /** Durable when it resolves: after a crash it is all that tells what happened. */
  async noteTransaction(id: string): Promise<void> {
    const file = await open(this.#transaction, 'w', 0o600)
    try {
      await file.writeFile(id)
      await file.sync()
    } finally {
      await file.close()
    }
  }

  /** All of it, or all but the note of the transaction, which goes with the operation. */
  async remove({ keepNote = false }: { readonly keepNote?: boolean } = {}): Promise<void> {
    if (!keepNote) return rm(this.#directory, { recursive: true, force: true })
    for (const path of [this.dump, this.#description]) await rm(path, { recursive: true, force: true })
  }

  get #description(): string {
    return join(this.#directory, 'dump.json')
  }

  get #transaction(): string {
    return join(this.#directory, 'transaction')
  }
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
