import type { KeyStore } from '@holdfast/core'
import { hasCode } from '@holdfast/core'
import { hashKey, makeKey } from './key.ts'

const FIRST_NAME = 'first-admin'

/**
 * Makes an admin key if the catalog has none that is valid, and returns it: the only time it is ever readable.
 * Null if there is one already. Of several processes that start together, one makes the key.
 */
export async function ensureAdminKey(keys: KeyStore): Promise<string | null> {
  const known = await keys.list()
  if (known.some((key) => key.role === 'admin' && key.revokedAt === null)) return null
  // the name decides who makes it: all processes that see the same keys try the same name, which only one can take
  const name = freeName(known.map((key) => key.name))
  const key = makeKey()
  try {
    await keys.add({ name, role: 'admin', sha256: hashKey(key) })
    return key
  } catch (error) {
    if (!hasCode(error, 'KEY_EXISTS')) throw error
    return ensureAdminKey(keys)
  }
}

function freeName(taken: readonly string[]): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? FIRST_NAME : `${FIRST_NAME}-${number}`
    if (!taken.includes(name)) return name
  }
}
