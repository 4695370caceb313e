import type { Attachment, DumpSummary } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import { definitionDigest, writeContents } from '../contents/contents-file.ts'
import { versionName } from '../flavours.ts'
import type { Session } from '../session.ts'
import type { SourceCounts } from './count-source.ts'
import { changingFloats } from './count-source.ts'
import { someOf } from './describe-names.ts'
import type { Source } from './describe-source.ts'
import { canDumpEvents } from './dump-arguments.ts'
import type { Dumped } from './mysql-dump.ts'
import type { PinnedMoment } from './pin-moment.ts'
import { settingsScript } from './settings-script.ts'
import { isInSnapshot } from './source-warnings.ts'

/** All that is known when a dump is over. */
export interface Finished {
  readonly session: Session
  readonly tools: ClientTools
  readonly source: Source
  readonly pinned: PinnedMoment
  readonly dumped: Dumped
  readonly counts: SourceCounts
  readonly globals: readonly Attachment[]
  readonly toolWarnings: readonly string[]
}

/** Longer waits of others are told. */
const LONG_MS = 100

export function summarize(finished: Finished): DumpSummary {
  const { session, tools, source, pinned, dumped, counts } = finished
  const { objects, leftOut } = source
  const largestStatementBytes = largestStatement(finished)
  return {
    ...dumped.digest,
    rowCounts: Object.fromEntries([...counts.tables].map(([name, { rows }]) => [name, rows])),
    counting: counts.counting,
    serverVersion: versionName(session.server.version),
    toolVersion: tools.versionText,
    // rounded down: a backup never claims to be younger than it is
    consistentAt: new Date(Math.floor(pinned.at)).toISOString(),
    details: {
      flavour: session.server.flavour.name,
      schema: source.schema,
      charset: objects.charset,
      collation: objects.collation,
      lowerCaseTableNames: source.lowerCaseTableNames,
      largestStatementBytes,
      ...(canDumpEvents(source.schema, objects.programs) ? {} : { eventsApart: true }),
      ...(reasonOf(finished) === null ? {} : { notExact: reasonOf(finished) ?? '' }),
      ...(leftOut === null ? {} : { leftOut: describeLeftOut(leftOut) }),
    },
    warnings: warningsOf(finished),
    attachments: [
      settingsScript(objects),
      writeContents(contentsOf(finished, largestStatementBytes)),
      ...finished.globals,
    ],
  }
}

/** Null if counts are as exact as was asked for. */
function reasonOf({ pinned }: Finished): string | null {
  return pinned.reason
}

function contentsOf(finished: Finished, largestStatementBytes: number): Contents {
  const { session, source, counts } = finished
  const { objects, tables, programs, definers } = source
  const isExact = counts.counting === 'exact'
  return {
    version: 1,
    schema: source.schema,
    flavour: session.server.flavour.name,
    serverVersion: session.server.version,
    charset: objects.charset,
    collation: objects.collation,
    comment: objects.comment,
    lowerCaseTableNames: source.lowerCaseTableNames,
    counting: counts.counting,
    reason: reasonOf(finished),
    tables: tables.map((table) => {
      const counted = counts.tables.get(table.name)
      const { name, kind, engine } = table
      return {
        ...{ name, kind, engine },
        rows: counted?.rows ?? null,
        digest: isExact && isInSnapshot(table) ? (counted?.digest ?? null) : null,
        definition: definitionDigest(table, source.schema),
      }
    }),
    history: source.history,
    programs: [...programs],
    definers: { existing: [...definers.existing], missing: [...definers.missing] },
    collations: [...source.collations],
    engines: [...new Set(tables.flatMap(({ engine }) => (engine === null ? [] : [engine])))].toSorted(),
    leftOut: source.leftOut,
    largestStatementBytes,
  }
}

/** Pieces of programs end like statements, so that the longest of them was not seen as one. */
function largestStatement({ source, dumped }: Finished): number {
  const programs = source.programs.map(({ createSql }) => Buffer.byteLength(createSql))
  return programs.reduce((most, bytes) => Math.max(most, bytes), dumped.largestStatementBytes)
}

function warningsOf(finished: Finished): readonly string[] {
  const { source, pinned, counts, toolWarnings } = finished
  const reason = reasonOf(finished)
  const floats = changingFloats(counts)
  return [
    ...(reason === null ? [] : [`counts are not exact: ${reason}`]),
    ...(pinned.stalledMs < LONG_MS
      ? []
      : [`commits on the server may have waited for ${Math.round(pinned.stalledMs)} ms, for brief_lock=on`]),
    ...(source.leftOut === null ? [] : [`left out: ${describeLeftOut(source.leftOut)}`]),
    ...source.warnings,
    ...(floats.length === 0
      ? []
      : [`FLOAT columns with values that no dump keeps, such as 16777215: ${someOf(floats)}`]),
    ...toolWarnings,
  ]
}

/** In a few words, equal for dumps that leave out the same. */
function describeLeftOut({ tables, rowsOf, programs }: NonNullable<Contents['leftOut']>): string {
  return [
    ...(tables.length === 0 ? [] : [`${tables.length} tables (${someOf(tables)})`]),
    ...(rowsOf.length === 0 ? [] : [`the rows of ${rowsOf.length} tables (${someOf(rowsOf)})`]),
    ...(programs.length === 0 ? [] : [`${programs.length} programs (${someOf(programs)})`]),
  ].join(', ')
}
