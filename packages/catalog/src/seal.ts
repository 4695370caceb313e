import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { Seal } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import { requireMasterKeys } from './require-master-keys.ts'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SEALED = /^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/

interface SealingKey {
  readonly id: string
  readonly key: Uint8Array
}

/**
 * Seals with the first master key and opens with any of them, so that keys can be rotated. Sealed text reads
 * `v1.<key id>.<nonce>.<ciphertext and tag>`, the last two in base64url; the purpose is authenticated with it.
 */
export function createSeal(masterKeys: readonly Uint8Array[]): Seal {
  const [first, ...others] = requireMasterKeys(masterKeys)
  const current = toSealingKey(first)
  const keys = [current, ...others.map(toSealingKey)]
  return {
    seal(plain, purpose) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, current.key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(purpose))
      const bytes = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return ['v1', current.id, nonce.toString('base64url'), bytes.toString('base64url')].join('.')
    },
    open(sealed, purpose) {
      const [, keyId, nonce, bytes] = SEALED.exec(sealed) ?? []
      if (keyId === undefined || nonce === undefined || bytes === undefined) {
        throw wrongKey('a secret is not sealed in a form that is known')
      }
      const known = keys.filter((key) => key.id === keyId)
      if (known.length === 0)
        throw wrongKey(`a secret was sealed with the master key ${keyId}, which is not at hand`)
      const box = { nonce: Buffer.from(nonce, 'base64url'), bytes: Buffer.from(bytes, 'base64url'), purpose }
      const plain = known.map(({ key }) => open(key, box)).find((text) => text !== null)
      if (plain === undefined) throw wrongKey('a sealed secret was changed, or sealed for something else')
      return plain
    },
  }
}

/** The master key signs, too: each use has a key of its own, derived from it. */
function toSealingKey(masterKey: Uint8Array): SealingKey {
  const id = createHash('sha256')
    .update('holdfast master key id v1\0')
    .update(masterKey)
    .digest('hex')
    .slice(0, 8)
  return { id, key: new Uint8Array(hkdfSync('sha256', masterKey, '', 'holdfast sealing v1', 32)) }
}

interface Box {
  readonly nonce: Uint8Array
  readonly bytes: Buffer
  readonly purpose: string
}

function open(key: Uint8Array, { nonce, bytes, purpose }: Box): string | null {
  const tagAt = bytes.length - TAG_BYTES
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(purpose))
  decipher.setAuthTag(bytes.subarray(tagAt))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, tagAt)), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

function wrongKey(message: string): AppError {
  return new AppError('MASTER_KEY_WRONG', message, {
    hint: 'set HOLDFAST_MASTER_KEY to the key that this catalog was used with; older keys follow it after commas',
  })
}
