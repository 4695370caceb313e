import type { ServerFacts } from '../flavours.ts'
import type { DefinerChoice } from '../schema/program-statements.ts'
import type { Program, SchemaObjects } from '../schema/schema-objects.ts'
import { comparePrograms } from './compare-programs.ts'
import type { Contents, ContentsTable } from './contents-file.ts'
import { definitionDigest } from './contents-file.ts'
import type { Counted } from './count-tables.ts'

/** What is there where a dump was restored. */
export interface FoundContents {
  readonly schema: string
  readonly server: ServerFacts
  readonly objects: SchemaObjects
  /** Tables that were counted. */
  readonly counted: ReadonlyMap<string, Counted>
  /** The server does not tell names of tables apart by case, and may have changed it. */
  readonly ignoresCase: boolean
}

export interface CompareOptions {
  /** What the restore made of definers. */
  readonly definer: DefinerChoice
  /** Events are not to be there: they would run. */
  readonly withoutEvents: boolean
}

/** What a restored schema has other than its source had, in words. */
export interface Comparison {
  /** What must not be. */
  readonly differences: readonly string[]
  /** What may be, and what could not be compared. */
  readonly warnings: readonly string[]
}

/** Compares what a dump should hold with what a restore of it has brought. */
export function compareContents(
  expected: Contents,
  found: FoundContents,
  { definer, withoutEvents }: CompareOptions,
): Comparison {
  const differences: string[] = []
  const warnings: string[] = []
  const isSameSeries =
    seriesOf(expected) ===
    seriesOf({ serverVersion: found.server.version, flavour: found.server.flavour.name })
  if (!isSameSeries) {
    warnings.push(
      'the server is not of the same series as the source: definitions were compared by name only',
    )
  }
  for (const difference of compareTables(expected, found, isSameSeries)) {
    ;(difference.isCertain ? differences : warnings).push(difference.text)
  }
  const isWanted = ({ kind }: Program) => !(withoutEvents && kind === 'event')
  differences.push(
    ...comparePrograms(
      { schema: expected.schema, programs: expected.programs.filter(isWanted) },
      { schema: found.schema, programs: found.objects.programs.filter(isWanted) },
      { definer, withTexts: isSameSeries, ignoresCase: found.ignoresCase },
    ),
  )
  return { differences, warnings }
}

function seriesOf({ flavour, serverVersion }: Pick<Contents, 'flavour' | 'serverVersion'>): string {
  return `${flavour} ${Math.floor(serverVersion / 100)}`
}

interface Difference {
  readonly text: string
  /** False: it may come from counts that are not exact, or from how another version prints the same. */
  readonly isCertain: boolean
}

function compareTables(
  expected: Contents,
  found: FoundContents,
  withDefinitions: boolean,
): readonly Difference[] {
  const keyOf = (name: string) => (found.ignoresCase ? name.toLowerCase() : name)
  const there = new Map(found.objects.tables.map((table) => [keyOf(table.name), table]))
  const counts = new Map([...found.counted].map(([name, counted]) => [keyOf(name), counted]))
  const wanted = new Set(expected.tables.map(({ name }) => keyOf(name)))
  const extra = found.objects.tables.filter(({ name }) => !wanted.has(keyOf(name)))
  return [
    ...extra.map(({ kind, name }) => ({ text: `${kind} ${name} was not in the source`, isCertain: true })),
    ...expected.tables.flatMap((want) => {
      const have = there.get(keyOf(want.name))
      if (have === undefined) return [{ text: `${want.kind} ${want.name} is missing`, isCertain: true }]
      const definition = definitionDigest(have, found.schema)
      const isDefinedAlike = !withDefinitions || definition === want.definition || found.ignoresCase
      return [
        ...(isDefinedAlike
          ? []
          : [
              {
                text: `${want.kind} ${want.name} is defined in another way than in the source`,
                // patches of one series print the same in different ways at times
                isCertain: found.server.version === expected.serverVersion,
              },
            ]),
        ...compareRows(expected, want, counts.get(keyOf(want.name))),
      ]
    }),
  ]
}

function compareRows(
  { counting }: Contents,
  want: ContentsTable,
  have: Counted | undefined,
): readonly Difference[] {
  if (want.rows === null || have === undefined || counting !== 'exact') return []
  if (want.rows !== have.rows) {
    const text = `table ${want.name} has ${have.rows} rows, the source had ${want.rows}`
    // what no snapshot shows may have been counted at another moment than it was dumped
    return [{ text, isCertain: want.digest !== null }]
  }
  if (want.digest === null || have.digest === null || want.digest === have.digest) return []
  return [{ text: `table ${want.name} has other contents than the source had`, isCertain: true }]
}
