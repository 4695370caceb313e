// Damage to stored bytes, the same for the same seed, so that a failure can be looked at again.

/** Where a bit is flipped: `mask` has one bit set. */
export interface BitFlip {
  readonly offset: number
  readonly mask: number
}

/** A generator of numbers from 0 to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** How far from both ends {@link bitFlips} hits every byte: headers, and the last block with its checksum. */
const EDGE_BYTES = 64

/** `count` single-bit flips of an object: every byte near its ends, the rest at random places. */
export function bitFlips(seed: number, sizeBytes: number, count: number): readonly BitFlip[] {
  const random = seededRandom(seed)
  const edge = Math.min(EDGE_BYTES, sizeBytes)
  const atEnds = new Set<number>()
  for (let index = 0; index < edge; index += 1) {
    atEnds.add(index)
    atEnds.add(sizeBytes - 1 - index)
  }
  const offsets = [...atEnds].slice(0, count)
  while (sizeBytes > 0 && offsets.length < count) offsets.push(Math.floor(random() * sizeBytes))
  return offsets.map((offset) => ({ offset, mask: 1 << Math.floor(random() * 8) }))
}

/** A copy with one bit flipped. */
export function withFlip(bytes: Uint8Array, { offset, mask }: BitFlip): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ mask
  return copy
}

/** Lengths to cut an object to: every one near its ends and at the given boundaries, a few between. */
export function truncations(
  seed: number,
  sizeBytes: number,
  boundaries: readonly number[] = [],
): readonly number[] {
  const random = seededRandom(seed)
  const lengths = new Set<number>()
  for (let index = 0; index < EDGE_BYTES; index += 1) {
    lengths.add(index)
    lengths.add(sizeBytes - 1 - index)
    lengths.add(Math.floor(random() * sizeBytes))
  }
  for (const boundary of boundaries) for (const step of [-1, 0, 1]) lengths.add(boundary + step)
  return [...lengths].filter((length) => length >= 0 && length < sizeBytes)
}
