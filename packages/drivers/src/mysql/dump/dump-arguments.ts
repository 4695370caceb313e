import type { ServerFacts } from '../flavours.ts'
import type { Program } from '../schema/schema-objects.ts'

/** What is to be dumped, and by which program. */
export interface DumpArguments {
  readonly server: Pick<ServerFacts, 'flavour'>
  /** Version of the program. */
  readonly version: number
  readonly schema: string
  /** Tables and views that are left out. */
  readonly leftOut: readonly string[]
  readonly history: boolean
  /** False if the program cannot dump those that there are; see {@link canDumpEvents}. */
  readonly events?: boolean
}

const EVENTS = '--events'

/** Always, for both flavours. Never `--databases`: the script would name the schema that it was taken from. */
const ALWAYS = [
  '--single-transaction',
  '--quick',
  '--routines',
  '--triggers',
  EVENTS,
  '--hex-blob',
  '--tz-utc',
  // a script with them stops at a table whose default asks a sequence
  '--skip-add-locks',
  '--default-character-set=utf8mb4',
  '--max-allowed-packet=1G',
  '--comments',
  '--dump-date',
]

const HISTORY = '--dump-history'

/** Since then, server and program can write rows of the past into a table. */
export const HISTORY_SINCE = 101_100

/**
 * False for schemas of whose events dump programs have none: they ask for them under a name in which quotes,
 * backslashes and line breaks are escaped, which no schema has, and fail; and they never end with one that holds two
 * semicolons in a row, since they look for a delimiter that it does not hold, and try the same one for ever.
 */
export function canDumpEvents(
  schema: string,
  programs: readonly Pick<Program, 'kind' | 'createSql'>[],
): boolean {
  if (/['"\\\p{Cc}]/u.test(schema)) return false
  return !programs.some(({ kind, createSql }) => kind === 'event' && createSql.includes(';;'))
}

/** Arguments of the dump program, behind the one that names its option file. */
export function dumpArguments({
  server,
  version,
  schema,
  leftOut,
  history,
  events = canDumpEvents(schema, []),
}: DumpArguments): readonly string[] {
  const own = server.flavour.dumpArguments.filter(({ since }) => version >= since).flatMap(({ args }) => args)
  return [
    ...ALWAYS.filter((argument) => argument !== EVENTS || events),
    ...own.filter((argument) => history || argument !== HISTORY),
    // to the letter, and whatever dots and backticks there are in it
    ...leftOut.map((name) => `--ignore-table=${schema}.${name}`),
    '--',
    schema,
  ]
}
