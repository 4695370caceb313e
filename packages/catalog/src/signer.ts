import type { KeyObject } from 'node:crypto'
import { createHash, createPrivateKey, createPublicKey, hkdfSync, sign, verify } from 'node:crypto'
import type { ManifestSigner } from '@holdfast/core'
import { requireMasterKeys } from './require-master-keys.ts'

const SEED_BYTES = 32
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/
/** What precedes the seed in the DER form of an Ed25519 private key (RFC 8410). */
const PKCS8_START = Buffer.from('302e020100300506032b657004220420', 'hex')

interface SigningKey {
  readonly id: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/**
 * Signs with a key derived from the first master key, and knows the signatures of all of them, so that manifests
 * outlive a rotation. Signatures are base64; a key id is the start of the SHA-256 of the raw public key.
 */
export function createManifestSigner(masterKeys: readonly Uint8Array[]): ManifestSigner {
  const [first, ...others] = requireMasterKeys(masterKeys)
  const current = toSigningKey(first)
  const keys = [current, ...others.map(toSigningKey)]
  return {
    keyId: current.id,
    sign: (bytes) => sign(null, bytes, current.privateKey).toString('base64'),
    verify(keyId, bytes, signature) {
      if (!SIGNATURE.test(signature)) return false
      const given = Buffer.from(signature, 'base64')
      return keys.some((key) => key.id === keyId && verify(null, bytes, key.publicKey, given))
    },
  }
}

function toSigningKey(masterKey: Uint8Array): SigningKey {
  const seed = hkdfSync('sha256', masterKey, '', 'holdfast manifest signing v1', SEED_BYTES)
  const der = Buffer.concat([PKCS8_START, Buffer.from(seed)])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-SEED_BYTES)
  return { id: createHash('sha256').update(raw).digest('hex').slice(0, 16), privateKey, publicKey }
}
