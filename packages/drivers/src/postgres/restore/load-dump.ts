import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, writeFile } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { CHUNK_BYTES, startTool } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import { conninfoOf } from '../conninfo.ts'
import type { Archive } from './archive.ts'
import { findEntry } from './archive.ts'
import { failureOfLoad } from './load-failure.ts'
import type { ToolPlace } from './run-psql.ts'
import { loadEnvironment, runPsql } from './run-psql.ts'
import type { EntryKind } from './table-of-contents.ts'
import { loadingGroups } from './table-of-contents.ts'
import { ToolLog } from './tool-log.ts'

/** What a copy that nobody will work with can do without. */
export interface LeaveOut {
  /** Options of pg_restore. */
  readonly options: readonly string[]
  readonly kinds: readonly EntryKind[]
}

/** A dump that goes into an empty database. */
export interface LoadRequest extends ToolPlace {
  readonly archive: Archive
  readonly keepOwners: boolean
  /** Of archives only: scripts have all of their objects. */
  readonly leaveOut?: LeaveOut
  /** Processes at a time, for formats that allow it. */
  readonly parallel: number
  /** Hears how many entries of the archive have been begun, or how much of a script has been read. */
  readonly onEntries: (entries: number) => void
  readonly onScriptBytes: (bytes: number) => void
}

const HEAD_BYTES = 4096
/** The versions of psql with which `\restrict` came to their majors. */
const FIRST_RESTRICTING = [130_022, 140_019, 150_014, 160_010, 170_006]

/**
 * Loads a whole dump, stopping at the first error. Rejects with VERIFICATION_FAILED, naming the object, if the dump is
 * to blame, otherwise with what the server, the network or the tool had. No process outlives this.
 */
export async function loadDump(request: LoadRequest, signal: AbortSignal): Promise<void> {
  if (request.archive.format === 'plain') await loadScript(request, signal)
  else await loadArchive(request, signal)
}

/** Whether psql of this version knows `\restrict`. */
export function knowsRestrict(version: number): boolean {
  const major = Math.floor(version / 10_000)
  const first = FIRST_RESTRICTING.find((one) => Math.floor(one / 10_000) === major)
  return first === undefined ? major >= 18 : version >= first
}

async function loadArchive(request: LoadRequest, signal: AbortSignal): Promise<void> {
  const { archive, leaveOut } = request
  const groups = archive.toc === null ? null : loadingGroups(archive.toc, leaveOut?.kinds ?? [])
  let begun = 0
  for (const group of groups ?? [null]) {
    const done = begun
    await runPgRestore(
      request,
      group,
      (entries) => {
        begun = done + entries
        request.onEntries(begun)
      },
      signal,
    )
  }
}

/** Loads some entries of an archive, or all. */
async function runPgRestore(
  request: LoadRequest,
  entries: readonly number[] | null,
  onEntries: (entries: number) => void,
  signal: AbortSignal,
): Promise<void> {
  if (entries === null) return pgRestore(request, [], onEntries, signal)
  const list = `${request.archive.path}.list`
  try {
    await writeFile(list, entries.map((number) => `${number};\n`).join(''), { mode: 0o600 })
    await pgRestore(request, ['-L', list], onEntries, signal)
  } finally {
    await rm(list, { force: true })
  }
}

async function pgRestore(
  request: LoadRequest,
  more: readonly string[],
  onEntries: (entries: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { archive, tools, keepOwners, parallel, leaveOut } = request
  const log = new ToolLog()
  const args = [
    ...['-w', '--exit-on-error', '--verbose'],
    // a tar is one file, which cannot be read at several places at once
    ...(archive.format === 'tar' ? [] : ['-j', String(parallel)]),
    ...(keepOwners ? [] : ['--no-owner', '--no-privileges']),
    ...(leaveOut?.options ?? []),
    ...more,
    ...['-d', conninfoOf(request.connection, request.database, request.applicationName), archive.path],
  ]
  const onStderr = (text: string) => {
    log.hear(text)
    onEntries(log.entries)
  }
  const io = { stdin: 'ignore', stdout: 'ignore', env: loadEnvironment(request), onStderr } as const
  const tool = await startTool({ program: tools.pgRestore, args, ...io }, signal)
  try {
    await tool.done
  } catch (error) {
    const listed =
      log.entryNumber === null || signal.aborted
        ? null
        : await findEntry(tools, archive.path, log.entryNumber, signal)
    if (listed !== null) log.nameEntry(listed)
    throw await failureOfLoad(error, 'pg_restore', log, null)
  }
}

async function loadScript(request: LoadRequest, signal: AbortSignal): Promise<void> {
  const { archive, tools, onScriptBytes } = request
  let bytes = 0
  const count = new Transform({
    highWaterMark: CHUNK_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      onScriptBytes(bytes)
      done(null, chunk)
    },
  })
  const restricted = await restriction(archive.path, tools)
  const source = createReadStream(archive.path, { highWaterMark: CHUNK_BYTES })
  const content = source.once('error', (error) => count.destroy(error)).pipe(count)
  try {
    await runPsql(request, restricted, { content, file: archive.path }, signal)
  } finally {
    source.destroy()
  }
}

/**
 * Options of psql that go before a script, which could make it start programs. Newer ones of pg_dump forbid it in their
 * first lines; for the older ones that is done here, with a word that nobody can know.
 */
export async function restriction(
  script: string,
  { version }: Pick<ClientTools, 'version'>,
): Promise<readonly string[]> {
  const file = await open(script, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    const isRestricted = /^(?:--[^\n]*\n|\n)*\\restrict /.test(buffer.toString('latin1', 0, bytesRead))
    if (isRestricted || !knowsRestrict(version)) return []
    return ['-c', `\\restrict ${randomBytes(16).toString('hex')}`]
  } finally {
    await file.close()
  }
}
