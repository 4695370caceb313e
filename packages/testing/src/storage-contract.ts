import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import { afterEach, describe, it } from 'vitest'
import { rejectsWith } from './rejects-with.ts'
import { failingHalfWay, inHalves, inPieces, sha256Hex } from './sources.ts'
import { describeKeys, describePlace } from './storage/keys-and-place.ts'
import type { StorageSubject } from './storage/subject.ts'
import { keysBelow, objectsBelow, putBytes, readBytes, requireNothing } from './storage-access.ts'

const never = new AbortController().signal
const MIB = 1024 * 1024

/** The behaviour that every storage owes its callers. A kind of storage is supported once this passes for it. */
export function describeStorageContract(name: string, subject: StorageSubject): void {
  describe(`${name} storage contract`, () => {
    afterEach(() => subject.cleanUp())
    describeStoring(subject)
    describeShowing(subject)
    describeFailing(subject)
    describeReading(subject)
    describeDeleting(subject)
    describeKeys(subject)
    describePlace(subject)
  })
}

function describeStoring(subject: StorageSubject): void {
  it.each([0, 1, 65_536, MIB - 1, MIB, 40 * MIB + 7])(
    'gives back the %d bytes that it was given',
    async (size) => {
      const storage = await subject.open()
      const bytes = randomBytes(size)
      const result = await storage.put('shop/one/data', Readable.from(inPieces(bytes)), never)
      assert.deepEqual(result, { sizeBytes: size, sha256: sha256Hex(bytes) })
      assert.ok((await readBytes(storage, 'shop/one/data')).equals(bytes))
      assert.equal((await storage.stat('shop/one/data'))?.sizeBytes, size)
    },
  )

  it('keeps what another opening of the same place stored', async () => {
    await putBytes(await subject.open(), 'shop/one/data', 'first')
    assert.equal(String(await readBytes(await subject.open(), 'shop/one/data')), 'first')
  })

  it('never puts over an object, and destroys the source it does not need', async () => {
    const storage = await subject.open()
    await putBytes(storage, 'shop/one/data', 'first')
    const source = Readable.from(['second'])
    await rejectsWith('OBJECT_EXISTS', storage.put('shop/one/data', source, never))
    assert.ok(source.destroyed)
    assert.equal(String(await readBytes(storage, 'shop/one/data')), 'first')
  })

  it('lets one of many puts of a key win, whole', async () => {
    const storage = await subject.open()
    const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(300_000))
    const results = await Promise.allSettled(contents.map((text) => putBytes(storage, 'shop/one/data', text)))
    const winners = contents.filter((_, index) => results[index]?.status === 'fulfilled')
    assert.equal(winners.length, 1)
    for (const result of results) {
      if (result.status === 'rejected') await rejectsWith('OBJECT_EXISTS', Promise.reject(result.reason))
    }
    assert.equal(String(await readBytes(storage, 'shop/one/data')), winners[0])
  })
}

function describeShowing(subject: StorageSubject): void {
  it('shows nothing of an object before it is whole', async () => {
    const storage = await subject.open()
    const gate = Promise.withResolvers<void>()
    const putting = storage.put('shop/one/data', Readable.from(inHalves(gate.promise)), never)
    await delay(50)
    assert.equal(await storage.stat('shop/one/data'), null)
    await rejectsWith('OBJECT_NOT_FOUND', storage.get('shop/one/data', never))
    assert.deepEqual(await keysBelow(storage, ''), [])
    gate.resolve()
    await putting
    assert.equal(String(await readBytes(storage, 'shop/one/data')), 'first half, second half')
  })

  it('replaces a small object in one step', async () => {
    const storage = await subject.open()
    await storage.replace('shop/one/state.json', Buffer.from('a'.repeat(5000)))
    const writing = (async () => {
      for (let round = 0; round < 60; round += 1) {
        await storage.replace('shop/one/state.json', Buffer.from((round % 2 ? 'a' : 'b').repeat(5000)))
      }
    })()
    for (let round = 0; round < 60; round += 1) {
      const text = String(await readBytes(storage, 'shop/one/state.json'))
      assert.match(text, /^(a{5000}|b{5000})$/)
    }
    await writing
    assert.deepEqual(await keysBelow(storage, ''), ['shop/one/state.json'])
  })
}

function describeFailing(subject: StorageSubject): void {
  it('leaves nothing of a source that fails half-way, and passes on its error', async () => {
    const storage = await subject.open()
    const failure = new AppError('FILES_CHANGED', 'it changed')
    await assert.rejects(storage.put('shop/one/data', Readable.from(failingHalfWay(failure)), never), failure)
    await requireNothing(storage)
    await putBytes(storage, 'shop/one/data', 'a second try')
  })

  it('leaves nothing of a source that was destroyed without an error', async () => {
    const storage = await subject.open()
    const source = new Readable({ read: () => {} })
    source.push('half of it')
    const putting = storage.put('shop/one/data', source, never)
    setTimeout(() => source.destroy(), 20)
    await assert.rejects(putting)
    await requireNothing(storage)
  })

  it('stores nothing with a signal that is aborted already', async () => {
    const storage = await subject.open()
    const source = Readable.from(['x'])
    await rejectsWith('CANCELLED', storage.put('shop/one/data', source, AbortSignal.abort()))
    assert.ok(source.destroyed)
    await requireNothing(storage)
  })

  it('stops half-way when aborted, even if the source is silent', async () => {
    const storage = await subject.open()
    const source = new Readable({ read: () => {} })
    source.push(randomBytes(2 * MIB))
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 30)
    await rejectsWith('CANCELLED', storage.put('shop/one/data', source, controller.signal))
    assert.ok(source.destroyed)
    await requireNothing(storage)
  })

  it('gives the reason of an abort that has one', async () => {
    const storage = await subject.open()
    const reason = new AppError('FENCE_LOST', 'another worker took over')
    await rejectsWith(
      'FENCE_LOST',
      storage.put('shop/one/data', Readable.from(['x']), AbortSignal.abort(reason)),
    )
  })
}

function describeReading(subject: StorageSubject): void {
  it('says before the first byte that an object is not there', async () => {
    const storage = await subject.open()
    await putBytes(storage, 'shop/one/data', 'x')
    for (const key of ['shop', 'shop/one', 'shop/one/other', 'shop/one/data/below', 'elsewhere']) {
      await rejectsWith('OBJECT_NOT_FOUND', storage.get(key, never))
      assert.equal(await storage.stat(key), null)
    }
  })

  it('ends a read with the cancellation when aborted', async () => {
    const storage = await subject.open()
    await putBytes(storage, 'shop/one/data', randomBytes(8 * MIB))
    const controller = new AbortController()
    const stream = await storage.get('shop/one/data', controller.signal)
    const reading = (async () => {
      for await (const _ of stream) controller.abort()
    })()
    await rejectsWith('CANCELLED', reading)
  })

  it('tells the cancellation also to whoever begins to read after it', async () => {
    const storage = await subject.open()
    await putBytes(storage, 'shop/one/data', randomBytes(8 * MIB))
    const controller = new AbortController()
    const stream = await storage.get('shop/one/data', controller.signal)
    controller.abort()
    await delay(50)
    await rejectsWith('CANCELLED', buffer(stream))
  })

  it('says when an object was stored', async () => {
    const storage = await subject.open()
    const before = Date.now()
    await putBytes(storage, 'shop/one/data', 'x')
    const found = await storage.stat('shop/one/data')
    assert.ok(found && Math.abs(found.modifiedAtMs - before) < 60_000)
  })

  it('lists folders, not names that begin alike', async () => {
    const storage = await subject.open()
    for (const key of ['shop/one/a', 'shop/one/b', 'shop/two/a', 'shop-2/one/a'])
      await putBytes(storage, key, key)
    assert.deepEqual(await keysBelow(storage, ''), ['shop-2/one/a', 'shop/one/a', 'shop/one/b', 'shop/two/a'])
    assert.deepEqual(await keysBelow(storage, 'shop/'), ['shop/one/a', 'shop/one/b', 'shop/two/a'])
    assert.deepEqual(await keysBelow(storage, 'shop'), ['shop/one/a', 'shop/one/b', 'shop/two/a'])
    assert.deepEqual(await keysBelow(storage, 'shop/one/'), ['shop/one/a', 'shop/one/b'])
    assert.deepEqual(await keysBelow(storage, 'sho'), [])
    const listed = await objectsBelow(storage, 'shop/two')
    assert.deepEqual(listed, [await storage.stat('shop/two/a')])
  })

  it('lists hundreds of objects', async () => {
    const storage = await subject.open()
    const names = Array.from({ length: 300 }, (_, index) => `shop/${String(index).padStart(4, '0')}/data`)
    await Promise.all(names.map((key) => putBytes(storage, key, key)))
    assert.deepEqual(await keysBelow(storage, 'shop/'), names)
  })
}

function describeDeleting(subject: StorageSubject): void {
  it('deletes, once', async () => {
    const storage = await subject.open()
    await putBytes(storage, 'shop/one/data', 'x')
    assert.equal(await storage.delete('shop/one/data'), true)
    assert.equal(await storage.delete('shop/one/data'), false)
    assert.equal(await storage.delete('shop/one'), false)
    await requireNothing(storage)
    await putBytes(storage, 'shop/one/data', 'again')
  })

  it('deletes one object and no other', async () => {
    const storage = await subject.open()
    for (const key of ['shop/one/a', 'shop/one/b', 'shop/two/a']) await putBytes(storage, key, key)
    await storage.delete('shop/one/a')
    assert.deepEqual(await keysBelow(storage, ''), ['shop/one/b', 'shop/two/a'])
  })

  it('stores into a folder whose last object is being deleted', async () => {
    const storage = await subject.open()
    for (let round = 0; round < 60; round += 1) {
      await putBytes(storage, 'shop/one/old', 'old')
      await Promise.all([storage.delete('shop/one/old'), putBytes(storage, 'shop/one/new', 'new')])
      assert.equal(String(await readBytes(storage, 'shop/one/new')), 'new')
      await storage.delete('shop/one/new')
    }
  })

  it('never ends a read early because the object was deleted', async () => {
    const storage = await subject.open()
    const bytes = randomBytes(6 * MIB)
    for (let round = 0; round < 10; round += 1) {
      await putBytes(storage, 'shop/one/data', bytes)
      const stream = await storage.get('shop/one/data', never)
      const [result] = await Promise.allSettled([buffer(stream), storage.delete('shop/one/data')])
      if (result.status === 'fulfilled') assert.ok(result.value.equals(bytes))
    }
  })
}
