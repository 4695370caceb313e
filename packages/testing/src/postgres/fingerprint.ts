import { catalogEntries } from './catalog-entries.ts'
import { withSession } from './client.ts'
import { contentEntries } from './content-entries.ts'
import { databaseEntries, serverEntries } from './database-entries.ts'
import type { FingerprintEntry } from './fingerprint-line.ts'
import { fromLine, toLine } from './fingerprint-line.ts'

const SHOWN_CHARACTERS = 400

/**
 * Everything in a database, as sorted lines made from its catalogs and its content: equal for equal databases,
 * whatever their names, their oids and the order of their rows. Needs a superuser, and PostgreSQL 14 or later.
 */
export async function postgresFingerprintOf(url: string): Promise<readonly string[]> {
  return await withSession(url, async (session) =>
    toLines([
      ...(await databaseEntries(session)),
      ...(await catalogEntries(session)),
      ...(await contentEntries(session)),
    ]),
  )
}

/** The same for what all databases of a server share: roles, memberships, tablespaces. */
export async function postgresServerFingerprintOf(url: string): Promise<readonly string[]> {
  return await withSession(url, async (session) => toLines(await serverEntries(session)))
}

/** What differs between two fingerprints, one line each, for people to read; empty if they are equal. */
export function fingerprintDifferences(one: readonly string[], other: readonly string[]): readonly string[] {
  const [before, after] = [byKey(one), byKey(other)]
  const keys = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return keys.flatMap((key) => compare(before.get(key), after.get(key)))
}

function toLines(entries: readonly FingerprintEntry[]): readonly string[] {
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
