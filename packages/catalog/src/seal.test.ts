import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { throwsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { createSeal } from './seal.ts'

const oldKey = randomBytes(32)
const newKey = randomBytes(32)
const PLAIN = 'sqlite:///srv/app.db?key=canary-Ω'

describe('seal', () => {
  it('opens what it sealed, whatever the text', () => {
    const seal = createSeal([newKey])
    for (const plain of ['', 'x', PLAIN, '\0', 'é'.repeat(10_000)]) {
      assert.equal(seal.open(seal.seal(plain, 'target-url'), 'target-url'), plain)
    }
  })

  it('shows nothing of the text, and never seals alike', () => {
    const seal = createSeal([newKey])
    const one = seal.seal(PLAIN, 'target-url')
    assert.notEqual(one, seal.seal(PLAIN, 'target-url'))
    assert.match(one, /^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/)
    assert.ok(!Buffer.from(one.split('.')[3] ?? '', 'base64url').includes('canary'))
  })

  it('seals with the first key and opens with every key', () => {
    const before = createSeal([oldKey]).seal(PLAIN, 'target-url')
    const rotated = createSeal([newKey, oldKey])
    assert.equal(rotated.open(before, 'target-url'), PLAIN)
    const after = rotated.seal(PLAIN, 'target-url')
    assert.notEqual(after.split('.')[1], before.split('.')[1])
    assert.equal(createSeal([newKey]).open(after, 'target-url'), PLAIN)
  })

  it('says that the key is missing when the text names another one', () => {
    const sealed = createSeal([oldKey]).seal(PLAIN, 'target-url')
    const error = throwsWith('MASTER_KEY_WRONG', () => createSeal([newKey]).open(sealed, 'target-url'))
    assert.ok(!error.message.includes('canary'))
  })

  it('refuses to open for another purpose', () => {
    const seal = createSeal([newKey])
    const sealed = seal.seal(PLAIN, 'target-url')
    throwsWith('MASTER_KEY_WRONG', () => seal.open(sealed, 'restore-url'))
  })

  it('refuses a text with any byte changed or cut off', () => {
    const seal = createSeal([newKey])
    const [version, keyId, nonce, text] = seal.seal(PLAIN, 'target-url').split('.')
    const bytes = Buffer.from(text ?? '', 'base64url')
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      const forged = [version, keyId, nonce, changed.toString('base64url')].join('.')
      throwsWith('MASTER_KEY_WRONG', () => seal.open(forged, 'target-url'))
      const cut = [version, keyId, nonce, bytes.subarray(0, at).toString('base64url')].join('.')
      throwsWith('MASTER_KEY_WRONG', () => seal.open(cut, 'target-url'))
    }
  })

  it('refuses what was never sealed', () => {
    const seal = createSeal([newKey])
    for (const text of ['', PLAIN, 'v1', 'v1...', 'v2.00000000.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA']) {
      throwsWith('MASTER_KEY_WRONG', () => seal.open(text, 'target-url'))
    }
  })

  it('does not begin without a key of 32 bytes', () => {
    throwsWith('MASTER_KEY_MISSING', () => createSeal([]))
    throwsWith('INVALID_CONFIGURATION', () => createSeal([randomBytes(16)]))
  })
})
