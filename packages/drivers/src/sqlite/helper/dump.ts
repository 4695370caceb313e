import { rmSync } from 'node:fs'
import { SIDE_SUFFIXES } from '../file-names.ts'
import type { CopyMethod, DatabaseFacts, DumpOutput, FileAccess } from '../protocol.ts'
import { requireSoundCopy, requireSoundPages, withCopy } from './check.ts'
import { copyPinned } from './copy-pinned.ts'
import { codeOf, explain, HelperFailure } from './failure.ts'
import type { JobLink } from './link.ts'
import type { OpenSource } from './open-source.ts'
import { openUnlessHot, unpin } from './open-source.ts'
import { pinState } from './pin-state.ts'
import { recoverPrivately } from './recover-privately.ts'
import type { Counted } from './row-counts.ts'
import { countRows } from './row-counts.ts'

type DumpInput = FileAccess & { readonly sinkFile: string }

/** What one way of copying found out; the rest is the same for all. */
export interface Copied {
  readonly facts: DatabaseFacts
  readonly sha256: string
  readonly copiedBy: CopyMethod
  readonly pinnedAfterMs: number
  /** Counted in the source at the pinned moment; null where only the copy can still be asked. */
  readonly counted: Counted | null
  readonly warnings: readonly string[]
}

/** So often a crashed database may change under us before we give up. */
const RECOVERIES = 3

/** Copies one state of the database, page for page, and proves the copy to be whole. */
export async function dump(input: DumpInput, link: JobLink): Promise<DumpOutput> {
  try {
    const copied = await copyState(input, link)
    const { facts } = copied
    requireSoundCopy(input.sinkFile, facts)
    const counted = copied.counted ?? withCopy(input.sinkFile, countRows)
    return {
      facts,
      sizeBytes: facts.pageSize * facts.pageCount,
      sha256: copied.sha256,
      rowCounts: counted.rowCounts,
      copiedBy: copied.copiedBy,
      pinnedAfterMs: copied.pinnedAfterMs,
      warnings: [...copied.warnings, ...counted.warnings],
    }
  } catch (error) {
    for (const suffix of ['', ...SIDE_SUFFIXES]) rmSync(`${input.sinkFile}${suffix}`, { force: true })
    throw explain(error, codeOf(error) === 'SQLITE_FULL' ? 'the copy' : input.path)
  }
}

async function copyState(input: DumpInput, link: JobLink): Promise<Copied> {
  for (let attempt = 1; attempt <= RECOVERIES; attempt += 1) {
    const source = openUnlessHot(input)
    if (source !== null) {
      using opened = source
      link.opened()
      return await copyOpened(opened, input.sinkFile, link)
    }
    const recovered = await recoverPrivately(input, link)
    if (recovered !== null) return recovered
  }
  throw new HelperFailure('DATABASE_LOCKED', 'the database kept changing while it was recovered from a crash')
}

async function copyOpened(opened: OpenSource, sinkFile: string, link: JobLink): Promise<Copied> {
  const { connection } = opened
  const state = pinState(opened, link.sinceStartMs)
  const { sha256, copiedBy, missingPages } = await copyPinned(connection, state, sinkFile, link.progress)
  if (missingPages > 0) requireSoundPages(sinkFile)
  const { facts, atMs: pinnedAfterMs } = state
  const copied = { facts, sha256, copiedBy, pinnedAfterMs } as const
  if (facts.journalMode === 'wal') return { ...copied, counted: countRows(connection), warnings: [] }
  // writers wait for us: the rows are counted in the copy instead, which is the same moment byte for byte
  unpin(connection)
  const heldMs = Math.ceil(link.sinceStartMs() - pinnedAfterMs)
  return { ...copied, counted: null, warnings: [describeStall(facts.journalMode, heldMs)] }
}

function describeStall(journalMode: string, heldMs: number): string {
  return `rollback-journal mode (${journalMode}): writers had to wait for up to ${heldMs} ms while the pages were read; in WAL mode they would not`
}
