import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DriverFactory } from '@holdfast/core'
import { DriverBench } from './driver/bench.ts'
import { sampleProblems } from './sqlite-fixtures.ts'
import type { SqlitePlace } from './sqlite-place.ts'
import { startSqliteWriter } from './start-sqlite-writer.ts'

/** What many dumps of a busy database came to. */
export interface StressReport {
  readonly dumps: number
  /** How many were read in which way. */
  readonly copiedBy: Readonly<Record<string, number>>
  /** In words, with the number of the dump; empty if every dump was sound. */
  readonly problems: readonly string[]
  readonly writerErrors: readonly string[]
  readonly writes: number
}

/** How much of it. */
export interface StressOptions {
  readonly seconds: number
  readonly mostDumps: number
  readonly writers: number
  /** How likely each transaction is followed by a checkpoint of a random kind. */
  readonly checkpointChance: number
}

/**
 * Dumps a database over and over while other processes write to it and checkpoint its log at random. Every dump must
 * pass `integrity_check`, keep the invariants of the writers, and hold as many rows as were counted at its source.
 */
export async function stressDumps(
  factory: DriverFactory,
  place: SqlitePlace,
  url: string,
  options: StressOptions,
): Promise<StressReport> {
  const path = decodeURIComponent(url.slice('sqlite://'.length))
  const { checkpointChance } = options
  const writers = await Promise.all(
    Array.from({ length: options.writers }, () =>
      startSqliteWriter({ path, role: 'write', perSecond: 0, checkpointChance, busyTimeoutMs: 20_000 }),
    ),
  )
  const copiedBy: Record<string, number> = {}
  const problems: string[] = []
  const endsAt = performance.now() + options.seconds * 1000
  let dumps = 0
  while (dumps < options.mostDumps && performance.now() < endsAt) {
    dumps += 1
    const outcome = await dumpOnce(factory, place, url)
    copiedBy[outcome.copiedBy] = (copiedBy[outcome.copiedBy] ?? 0) + 1
    problems.push(...outcome.problems.map((problem) => `dump ${dumps} (${outcome.copiedBy}): ${problem}`))
  }
  const reports = await Promise.all(writers.map((writer) => writer.stop()))
  const writerErrors = reports.flatMap((report) => report.errors)
  return {
    dumps,
    copiedBy,
    problems,
    writerErrors,
    writes: reports.reduce((sum, { actions }) => sum + actions, 0),
  }
}

async function dumpOnce(factory: DriverFactory, place: SqlitePlace, url: string) {
  const bench = new DriverBench(factory, place)
  const dump = await bench.dump(url)
  const { summary, file } = dump
  try {
    const report = await bench.check(dump, 'full')
    const isSame = JSON.stringify(report.rowCounts) === JSON.stringify(summary.rowCounts)
    return {
      copiedBy: String(summary.details.copiedBy),
      problems: [
        ...(report.valid ? [] : [report.message]),
        ...(isSame ? [] : ['the copy has other rows than its source had']),
        ...(report.valid ? sampleProblems(file) : []),
      ],
    }
  } finally {
    await rm(dirname(file), { recursive: true })
  }
}
