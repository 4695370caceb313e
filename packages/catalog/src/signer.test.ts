import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { throwsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { createManifestSigner } from './signer.ts'

const oldKey = randomBytes(32)
const newKey = randomBytes(32)
const BYTES = Buffer.from('{"id":"x"}')

describe('manifest signer', () => {
  it('confirms what it signed, and nothing else', () => {
    const signer = createManifestSigner([newKey])
    const signature = signer.sign(BYTES)
    assert.ok(signer.verify(signer.keyId, BYTES, signature))
    assert.ok(!signer.verify(signer.keyId, Buffer.from('{"id":"y"}'), signature))
    assert.ok(!signer.verify('0000000000000000', BYTES, signature))
  })

  it('refuses every signature with a bit changed', () => {
    const signer = createManifestSigner([newKey])
    const signature = Buffer.from(signer.sign(BYTES), 'base64')
    for (let at = 0; at < signature.length * 8; at += 1) {
      const changed = Buffer.from(signature)
      changed.writeUInt8(changed.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3)
      assert.ok(!signer.verify(signer.keyId, BYTES, changed.toString('base64')))
    }
  })

  it('refuses what is no signature', () => {
    const signer = createManifestSigner([newKey])
    for (const text of ['', 'x', 'A'.repeat(88), `${signer.sign(BYTES)}\n`, '\0']) {
      assert.ok(!signer.verify(signer.keyId, BYTES, text))
    }
  })

  it('is the same in every process that has the key', () => {
    const one = createManifestSigner([newKey])
    const other = createManifestSigner([Buffer.from(newKey)])
    assert.equal(one.keyId, other.keyId)
    assert.match(one.keyId, /^[0-9a-f]{16}$/)
    assert.ok(other.verify(one.keyId, BYTES, one.sign(BYTES)))
  })

  it('knows the signatures of the keys before a rotation, and signs with the new one', () => {
    const before = createManifestSigner([oldKey])
    const rotated = createManifestSigner([newKey, oldKey])
    assert.notEqual(rotated.keyId, before.keyId)
    assert.ok(rotated.verify(before.keyId, BYTES, before.sign(BYTES)))
    assert.ok(!before.verify(rotated.keyId, BYTES, rotated.sign(BYTES)))
  })

  it('derives the published key of a known master key', () => {
    // a change here would make every manifest written before untrusted
    assert.equal(createManifestSigner([Buffer.alloc(32, 7)]).keyId, 'c23e4b87481f5fef')
  })

  it('does not begin without a key', () => {
    throwsWith('MASTER_KEY_MISSING', () => createManifestSigner([]))
  })
})
