import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A new key: 256 random bits behind a prefix by which secret scanners know it. */
export function makeKey(): string {
  return `hf_${randomBytes(32).toString('base64url')}`
}

/** The only form in which a key is kept. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

/** Compares in constant time, whatever the lengths. */
export function sameKey(a: string, b: string): boolean {
  const digest = (key: string) => createHash('sha256').update(key).digest()
  return timingSafeEqual(digest(a), digest(b))
}
