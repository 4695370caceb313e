import { AppError } from '@holdfast/core/domain'

const KEY_BYTES = 32

/** The keys, of which there is one at least. Throws MASTER_KEY_MISSING or INVALID_CONFIGURATION. */
export function requireMasterKeys(keys: readonly Uint8Array[]): readonly [Uint8Array, ...Uint8Array[]] {
  const [first, ...rest] = keys
  if (first === undefined) {
    throw new AppError('MASTER_KEY_MISSING', 'there is no master key', { hint: 'set HOLDFAST_MASTER_KEY' })
  }
  if (keys.some((key) => key.length !== KEY_BYTES)) {
    throw new AppError('INVALID_CONFIGURATION', `a master key is not ${KEY_BYTES} bytes long`)
  }
  return [first, ...rest]
}
