import type { Readable } from 'node:stream'
import { linesOf } from './lines.ts'

/** Entries of an archive that are not always loaded together with all others. */
const KINDS = {
  /** With all that is said about them. They would fire while what comes after them is loaded. */
  eventTriggers: /^(?:EVENT TRIGGER|(?:COMMENT|SECURITY LABEL) - EVENT TRIGGER) /,
  /** Policies name roles in their very definition, and hide rows even from owners. */
  rowSecurity: /^(?:POLICY|ROW SECURITY|COMMENT .*POLICY) /,
  userMappings: /^USER MAPPING /,
  /** With all that is said about them. */
  replication: /^(?:PUBLICATION|SUBSCRIPTION|(?:COMMENT|SECURITY LABEL) - (?:PUBLICATION|SUBSCRIPTION)) /,
} as const
export type EntryKind = keyof typeof KINDS

const ENTRY_KINDS = [
  'eventTriggers',
  'rowSecurity',
  'userMappings',
  'replication',
] as const satisfies readonly EntryKind[]

/** What an archive holds, by the numbers of its entries. */
export interface TableOfContents {
  readonly all: readonly number[]
  readonly special: Readonly<Record<EntryKind, ReadonlySet<number>>>
}

/** Reads what `pg_restore --list` prints. Of an entry nothing is kept but its number: there may be millions. */
export async function readTableOfContents(listing: Readable): Promise<TableOfContents> {
  const all: number[] = []
  const special = {
    eventTriggers: new Set<number>(),
    rowSecurity: new Set<number>(),
    userMappings: new Set<number>(),
    replication: new Set<number>(),
  }
  for await (const line of linesOf(listing)) {
    const [, number, entry] = /^(\d+); \d+ \d+ (.*)$/.exec(line) ?? []
    if (number === undefined || entry === undefined) continue
    all.push(Number(number))
    for (const kind of ENTRY_KINDS) if (KINDS[kind].test(entry)) special[kind].add(Number(number))
  }
  return { all, special }
}

/**
 * Which entries are loaded together, one group after the other: event triggers last, because refreshing a materialised
 * view would fire them, and what they do was done in the source long ago. Null for everything at once.
 */
export function loadingGroups(
  { all, special }: TableOfContents,
  without: readonly EntryKind[],
): readonly (readonly number[])[] | null {
  const left = new Set(without.flatMap((kind) => [...special[kind]]))
  const { eventTriggers } = special
  if (left.size === 0 && eventTriggers.size === 0) return null
  const wanted = all.filter((number) => !left.has(number))
  const groups = [
    wanted.filter((number) => !eventTriggers.has(number)),
    wanted.filter((number) => eventTriggers.has(number)),
  ]
  return groups.filter((group) => group.length > 0)
}
