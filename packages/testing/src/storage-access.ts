import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Storage, StoredObject } from '@holdfast/core'

const never = new AbortController().signal

/** Stores a text or bytes. */
export async function putBytes(storage: Storage, key: string, content: string | Uint8Array): Promise<void> {
  await storage.put(key, Readable.from([Buffer.from(content)]), never)
}

/** Reads an object in full. */
export async function readBytes(storage: Storage, key: string): Promise<Buffer> {
  return buffer(await storage.get(key, never))
}

/** Everything below a prefix. */
export async function objectsBelow(storage: Storage, prefix: string): Promise<StoredObject[]> {
  const found: StoredObject[] = []
  for await (const object of storage.list(prefix)) found.push(object)
  return found
}

/** The sorted keys below a prefix. */
export async function keysBelow(storage: Storage, prefix: string): Promise<string[]> {
  return (await objectsBelow(storage, prefix)).map(({ key }) => key).sort()
}

/** Requires that there is no object, and no trace of an unfinished one. */
export async function requireNothing(storage: Storage): Promise<void> {
  assert.deepEqual(await keysBelow(storage, ''), [])
  assert.equal(await storage.sweepPartial(0), 0)
}
