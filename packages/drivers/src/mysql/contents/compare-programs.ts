import { quoteName } from '../quote.ts'
import type { DefinerChoice } from '../schema/program-statements.ts'
import { definitionAt } from '../schema/program-statements.ts'
import type { Program } from '../schema/schema-objects.ts'

/** Programs, and the schema that they were read from. */
export interface ProgramsOf {
  readonly schema: string
  readonly programs: readonly Program[]
}

export interface ProgramComparison {
  /** What was to become of definers. */
  readonly definer: DefinerChoice
  /** False: another server prints them in another way, so that only what is there is compared. */
  readonly withTexts: boolean
  /** The server does not tell names of views and tables apart by case. */
  readonly ignoresCase: boolean
}

/** What the programs of a copy have other than those of its source, in words. */
export function comparePrograms(
  expected: ProgramsOf,
  found: ProgramsOf,
  { definer, withTexts, ignoresCase }: ProgramComparison,
): readonly string[] {
  const keyOf = ({ kind, name }: Program) => `${kind} ${ignoresCase ? name.toLowerCase() : name}`
  const there = new Map(found.programs.map((program) => [keyOf(program), program]))
  const wanted = new Set(expected.programs.map(keyOf))
  const extra = found.programs.filter((program) => !wanted.has(keyOf(program)))
  return [
    ...extra.map(({ kind, name }) => `${kind} ${name} was not in the source`),
    ...expected.programs.flatMap((want) => {
      const have = there.get(keyOf(want))
      if (have === undefined) return [`${want.kind} ${want.name} is missing`]
      if (!withTexts) return []
      const differing = [
        ...(textOf(want, expected.schema) === textOf(have, found.schema) || ignoresCase
          ? []
          : ['definition']),
        ...differingSettings(want, have),
        ...(definer === 'current' || have.definer === definerOf(want, definer) ? [] : ['definer']),
      ]
      return differing.length === 0 ? [] : [`${want.kind} ${want.name} has another ${differing.join(', ')}`]
    }),
  ]
}

/** Stands for the names of schemas and of triggers' tables. */
const ANY = '/'

/**
 * Without what may be written in several ways: its definer, its schema, and a trigger's table, which renaming quotes.
 * Servers leave the schema of a view out, or not, as its definer may read its tables.
 */
function textOf(program: Program, from: string): string {
  const onTable = program.kind === 'trigger' ? { onTable: ANY } : {}
  const { sql, encoding } = definitionAt(program, { schema: ANY, from, definer: 'current', ...onTable })
  const text = encoding === 'utf8' ? Buffer.from(sql, 'utf8').toString('latin1') : sql
  return program.kind === 'view' ? text.replaceAll(`${quoteName(ANY)}.`, '') : text
}

function definerOf({ definer }: Program, choice: DefinerChoice): string | null {
  return typeof choice === 'string' ? definer : choice.account
}

const SETTINGS = {
  sqlMode: 'sql_mode',
  charset: 'character set',
  collation: 'collation',
  databaseCollation: 'collation of its schema',
  timeZone: 'time zone',
  table: 'table',
  orderedAfter: 'place among the triggers of its table',
} as const

function differingSettings(want: Program, have: Program): readonly string[] {
  // what each is called is told apart by its key
  const settings = Object.entries(SETTINGS) as [keyof typeof SETTINGS, string][]
  return settings
    .filter(([setting]) => canonical(want[setting]) !== canonical(have[setting]))
    .map(([, title]) => title)
}

/** Servers have changed what they call the same. */
function canonical(value: string | null): string | null {
  return value?.replace(/^utf8(?=_|$)/, 'utf8mb3') ?? null
}
