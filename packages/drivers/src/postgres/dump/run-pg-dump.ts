import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest, DumpRequest, Tool } from '@holdfast/core'
import { startTool, together } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import { failureOfTool } from '../failure.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { ArchiveContents, requireContents, ScriptEnd } from './end-marker.ts'
import { flowOut } from './flow-out.ts'
import { tarOfDump } from './tar-of-dump.ts'
import type { ToolWarnings } from './tool-warnings.ts'

const LETTERS = { custom: 'c', plain: 'p', directory: 'd', tar: 't' } as const
export type PgDumpFormat = keyof typeof LETTERS

/** What pg_dump is to dump, and how. */
export interface PgDumpJob {
  readonly parts: Pick<PostgresParts, 'connection' | 'patience'>
  readonly tools: ClientTools
  readonly format: PgDumpFormat
  readonly database: string
  readonly tag: string
  readonly snapshot: string
  /** What is to be left out, as arguments. */
  readonly filter: readonly string[]
  readonly warnings: ToolWarnings
}

type Request = Pick<DumpRequest, 'sink' | 'scratchDir'>

/** Runs pg_dump and lets what it writes flow into the sink. Returns what left. */
export async function runPgDump(
  job: PgDumpJob,
  request: Request,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Digest> {
  return job.format === 'directory'
    ? dumpDirectory(job, request, onBytes, signal)
    : dumpStream({ ...job, format: job.format }, request, onBytes, signal)
}

async function dumpStream(
  job: PgDumpJob & { readonly format: Exclude<PgDumpFormat, 'directory'> },
  { sink, scratchDir }: Request,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Digest> {
  return await withTools(signal, async (own) => {
    const { format, tools } = job
    const marker =
      format === 'plain'
        ? new ScriptEnd()
        : await ArchiveContents.start(tools.pgRestore, format === 'tar' ? 't' : 'c', own)
    const tool = await startPgDump(job, [], { stdout: 'pipe', temporary: scratchDir }, own)
    const { stdout } = tool
    if (stdout === null) throw new Error('a piped stdout is missing')
    const made = succeeded(tool)
    const [digest] = await together(own, (both) => [
      flowOut(stdout, { sink: sink.stream(), marker, onBytes, made }, both),
      made,
    ])
    return digest
  })
}

/** Several processes write into a directory, which is then sent on as one tar. */
async function dumpDirectory(
  job: PgDumpJob,
  { sink, scratchDir }: Request,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Digest> {
  const directory = join(scratchDir, 'dump')
  try {
    await withTools(signal, async (own) => {
      // not synced: it is read back at once, and what counts is where it is stored then
      const args = [`--file=${directory}`, `--jobs=${job.parts.patience.parallel}`, '--no-sync']
      await succeeded(await startPgDump(job, args, { stdout: 'ignore', temporary: scratchDir }, own))
      await requireContents(job.tools.pgRestore, directory, own)
    })
    const out = { sink: sink.stream(), marker: null, onBytes, made: Promise.resolve() }
    return await flowOut(tarOfDump(directory), out, signal)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** No program that was started with the signal outlives the work. */
async function withTools<Result>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const end = new AbortController()
  try {
    return await work(AbortSignal.any([signal, end.signal]))
  } finally {
    end.abort()
  }
}

async function startPgDump(
  job: PgDumpJob,
  args: readonly string[],
  { stdout, temporary }: { readonly stdout: 'pipe' | 'ignore'; readonly temporary: string },
  signal: AbortSignal,
): Promise<Tool> {
  const { connection } = job.parts
  const { format, tools, snapshot } = job
  return await startTool(
    {
      program: tools.pgDump,
      args: [
        `--format=${LETTERS[format]}`,
        // our own compresses better and in parallel
        ...(format === 'tar' ? [] : ['--compress=0']),
        `--snapshot=${snapshot}`,
        `--lock-wait-timeout=${connection.lockTimeoutMs}`,
        '--no-password',
        ...args,
        ...job.filter,
        `--dbname=${conninfoOf(connection, job.database, job.tag)}`,
      ],
      stdin: 'ignore',
      stdout,
      env: { ...toolEnvironment(connection), TMPDIR: temporary },
      onStderr: (text) => job.warnings.hear(text),
    },
    signal,
  )
}

/** Rejects with why pg_dump did not succeed, as far as that is known. */
async function succeeded(tool: Tool): Promise<void> {
  try {
    await tool.done
  } catch (error) {
    throw failureOfTool(error, 'pg_dump')
  }
}
