import type { Progress } from '@holdfast/core'

/** A database takes about so much more room than the bytes of its dump. */
const BLOAT = 1.3

/** Tells how far a restore is in bytes of its dump: half when it has arrived, all when it is loaded and verified. */
export class StageProgress {
  readonly #sizeBytes: number
  readonly #tell: (progress: Progress) => void
  #totalObjects: number | null = null
  #objects = 0
  #loaded = 0
  #told = 0

  constructor(sizeBytes: number, tell: (progress: Progress) => void) {
    this.#sizeBytes = sizeBytes
    this.#tell = tell
  }

  readonly received = (bytes: number): void => {
    this.#report(bytes / 2)
  }

  /** Objects that are to be loaded; null if nobody knows. */
  expect(totalObjects: number | null): void {
    this.#totalObjects = totalObjects
  }

  readonly loadedObjects = (objects: number): void => {
    this.#objects = Math.min(objects, this.#totalObjects ?? objects)
    this.#reportLoading()
  }

  readonly loadedScript = (bytes: number): void => {
    this.#loaded = bytes / this.#sizeBytes
    this.#reportLoading()
  }

  /** The size of the new database, as it grows. */
  readonly grown = (databaseBytes: number): void => {
    this.#loaded = Math.min(1, databaseBytes / (this.#sizeBytes * BLOAT))
    this.#reportLoading()
  }

  done(): void {
    this.#told = 0
    this.#report(this.#sizeBytes)
  }

  #reportLoading(): void {
    const total = this.#totalObjects
    const byObjects = total === null || total === 0 ? this.#loaded : this.#objects / total
    const part = Math.min(0.99, (this.#loaded + byObjects) / 2)
    this.#report((this.#sizeBytes / 2) * (1 + part))
  }

  /** Never backwards: guesses get better, what was told stays. */
  #report(bytes: number): void {
    this.#told = Math.max(this.#told, Math.floor(bytes))
    const total = this.#totalObjects
    const objects = total === null ? {} : { objects: this.#objects, totalObjects: total }
    this.#tell({ bytes: this.#told, totalBytes: this.#sizeBytes, ...objects })
  }
}
