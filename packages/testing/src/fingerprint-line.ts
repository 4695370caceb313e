/** One thing of a database and all that is true of it. */
export interface FingerprintEntry {
  readonly kind: string
  readonly name: string
  readonly facts: Readonly<Record<string, string>>
}

/** The entry as one line of text. */
export function toLine({ kind, name, facts }: FingerprintEntry): string {
  return JSON.stringify([kind, name, facts])
}

/** The entry of a line. Throws for anything else. */
export function fromLine(line: string): FingerprintEntry {
  const parsed: unknown = JSON.parse(line)
  if (!Array.isArray(parsed)) throw new TypeError('not a line of a fingerprint')
  const [kind, name, facts]: unknown[] = parsed
  if (typeof kind !== 'string' || typeof name !== 'string') throw new TypeError('not a line of a fingerprint')
  return { kind, name, facts: toFacts(facts) }
}

/** The facts in an object, without those that are null. */
export function toFacts(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) throw new TypeError('facts are an object')
  const known = Object.entries(value).filter(([, fact]) => fact !== null)
  return Object.fromEntries(known.map(([key, fact]) => [key, String(fact)]).toSorted())
}
