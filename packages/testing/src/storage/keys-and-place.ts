import assert from 'node:assert/strict'
import { it } from 'vitest'
import { HOSTILE_KEYS } from '../hostile-keys.ts'
import { rejectsWith, throwsWith } from '../rejects-with.ts'
import { keysBelow, putBytes, requireNothing } from '../storage-access.ts'
import type { StorageSubject } from './subject.ts'

const never = new AbortController().signal

/** No key leads elsewhere, on any kind of storage. */
export function describeKeys(subject: StorageSubject): void {
  it.each(HOSTILE_KEYS.map((key) => ({ shown: JSON.stringify(key).slice(0, 40), key })))(
    'refuses the key $shown everywhere',
    async ({ key }) => {
      const storage = await subject.open()
      await rejectsWith('INVALID_REQUEST', putBytes(storage, key, 'x'))
      await rejectsWith('INVALID_REQUEST', storage.replace(key, Buffer.from('x')))
      await rejectsWith('INVALID_REQUEST', storage.get(key, never))
      await rejectsWith('INVALID_REQUEST', storage.stat(key))
      await rejectsWith('INVALID_REQUEST', storage.delete(key))
      if (key !== '' && key !== 'shop/data/') {
        await rejectsWith('INVALID_REQUEST', keysBelow(storage, key))
        throwsWith('INVALID_REQUEST', () => storage.locate(key))
      }
      await requireNothing(storage)
    },
  )
}

/** A storage knows itself, and tells about itself. */
export function describePlace(subject: StorageSubject): void {
  it('has an id of its own that stays', async () => {
    const storage = await subject.open()
    const id = await storage.id()
    await putBytes(storage, 'shop/one/data', 'x')
    assert.equal(await storage.id(), id)
    assert.equal(await (await subject.open()).id(), id)
    assert.match(id, /^[0-9a-f-]{36}$/)
  })

  it('can be checked, which leaves nothing', async () => {
    const storage = await subject.open()
    const { freeBytes } = await storage.check()
    assert.ok(freeBytes === null || freeBytes > 0)
    await requireNothing(storage)
  })

  it('keeps whole objects when unfinished ones are swept', async () => {
    const storage = await subject.open()
    await putBytes(storage, 'shop/one/data', 'x')
    assert.equal(await storage.sweepPartial(0), 0)
    assert.deepEqual(await keysBelow(storage, ''), ['shop/one/data'])
  })

  it('tells an operator where an object lies', async () => {
    const storage = await subject.open()
    assert.ok(storage.locate('shop/one/data').endsWith('shop/one/data'))
    assert.ok(storage.locate('shop/one/').includes('shop/one'))
  })
}
