import type { FingerprintEntry } from './fingerprint-line.ts'
import { fromLine, toLine } from './fingerprint-line.ts'

const SHOWN_CHARACTERS = 400

/** What differs between two fingerprints, one line each, for people to read; empty if they are equal. */
export function fingerprintDifferences(one: readonly string[], other: readonly string[]): readonly string[] {
  const [before, after] = [byKey(one), byKey(other)]
  const keys = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return keys.flatMap((key) => compare(before.get(key), after.get(key)))
}

/** The lines of a fingerprint, sorted. Throws if two entries have one name. */
export function toLines(entries: readonly FingerprintEntry[]): readonly string[] {
  const keys = new Set(entries.map(keyOf))
  if (keys.size !== entries.length) throw new Error('two things of the fingerprint have one name')
  return entries.map(toLine).toSorted()
}

function keyOf({ kind, name }: FingerprintEntry): string {
  return `${kind} ${name}`
}

function byKey(lines: readonly string[]): ReadonlyMap<string, FingerprintEntry> {
  return new Map(lines.map(fromLine).map((entry) => [keyOf(entry), entry]))
}

function compare(
  before: FingerprintEntry | undefined,
  after: FingerprintEntry | undefined,
): readonly string[] {
  if (before === undefined) return after === undefined ? [] : [`only in the second: ${keyOf(after)}`]
  if (after === undefined) return [`only in the first: ${keyOf(before)}`]
  const names = [...new Set([...Object.keys(before.facts), ...Object.keys(after.facts)])].toSorted()
  return names
    .filter((name) => before.facts[name] !== after.facts[name])
    .map((name) => `${keyOf(before)}: ${name}: ${shown(before.facts[name])} -> ${shown(after.facts[name])}`)
}

function shown(fact: string | undefined): string {
  if (fact === undefined) return 'nothing'
  return JSON.stringify(fact.length > SHOWN_CHARACTERS ? `${fact.slice(0, SHOWN_CHARACTERS)}…` : fact)
}
