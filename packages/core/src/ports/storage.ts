import type { Readable } from 'node:stream'

/** One stored object. Keys use `/` and stay below the storage's root. */
export interface StoredObject {
  readonly key: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
}

/** What {@link Storage.put} made durable. */
export interface PutResult {
  readonly sizeBytes: number
  /** SHA-256 (hex) of the bytes handed over. */
  readonly sha256: string
}

/**
 * A place for objects. An object appears whole or not at all, under a name that was free.
 *
 * Every method rejects with STORAGE_UNAVAILABLE when the place cannot be reached, and with
 * INVALID_REQUEST for a key that is absolute, holds `..`, NUL or an empty segment, or is too long.
 */
export interface Storage {
  /** Name by which backups refer to this storage, e.g. `default`. */
  readonly name: string
  /** The URL without secrets, safe to show. */
  readonly displayUrl: string

  /**
   * The id written into the storage when it was first used; stable for its life.
   * Creates it in an empty storage. Rejects with STORAGE_MISMATCH when the place holds something else.
   */
  id(): Promise<string>

  /**
   * Stores the whole of `source` durably under a key that does not exist yet.
   * Rejects with OBJECT_EXISTS, STORAGE_FULL, CANCELLED or the error of `source`; then nothing is left.
   */
  put(key: string, source: Readable, signal: AbortSignal): Promise<PutResult>

  /** Replaces a small object (state.json) in one step; readers see the old or the new one. */
  replace(key: string, bytes: Uint8Array): Promise<void>

  /** Streams an object. Rejects with OBJECT_NOT_FOUND before the first byte if it is not there. */
  get(key: string, signal: AbortSignal): Promise<Readable>

  /** Null if there is no such object. */
  stat(key: string): Promise<StoredObject | null>

  /** Lists objects below a prefix (a folder, or empty for all), in no particular order. */
  list(prefix: string): AsyncIterable<StoredObject>

  /** Deletes an object; true if it was there. Idempotent. */
  delete(key: string): Promise<boolean>

  /** Removes unfinished uploads older than this age. Returns how many. */
  sweepPartial(olderThanMs: number): Promise<number>

  /** Where an operator finds this object with ordinary tools, e.g. an absolute path. */
  locate(key: string): string

  /** Proves that the place can be written to, and tells the free space if it is known. */
  check(): Promise<{ readonly freeBytes: number | null }>
}
