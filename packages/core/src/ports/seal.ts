/** Encrypts secrets at rest with the master key (AES-256-GCM); the sealed text names the key used. */
export interface Seal {
  seal(plain: string, purpose: string): string
  /** Rejects by throwing MASTER_KEY_WRONG when no known key opens it. */
  open(sealed: string, purpose: string): string
}

/** Signs and checks manifests (Ed25519). */
export interface ManifestSigner {
  readonly keyId: string
  sign(bytes: Uint8Array): string
  /** False for a wrong signature and for an unknown key. */
  verify(keyId: string, bytes: Uint8Array, signature: string): boolean
}
