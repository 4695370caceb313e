import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest, DumpRequest, Tool } from '@holdfast/core'
import { startTool, together } from '@holdfast/core'
import { flowOut } from '../../client-server/flow-out.ts'
import type { ClientTools } from '../client-tools.ts'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import { failureOfTool } from '../failure.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { ArchiveContents, requireContents, ScriptEnd } from './end-marker.ts'
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
  readonly request: Pick<DumpRequest, 'sink' | 'scratchDir'>
}

/** A pg_dump at work. Whoever started it stops it, however it ends. */
export interface PgDump {
  /** Resolves when it has ended, in whatever way, or prints, which it does not before it has all of its locks. */
  readonly ended: Promise<unknown>
  /** Lets what it writes flow into the sink, which is not touched before. Rejects with why it failed. */
  finish(onBytes: (bytes: number) => void, signal: AbortSignal): Promise<Digest>
  /** Ends all processes and removes what they left. Never rejects. */
  stop(): Promise<void>
}

/** Starts pg_dump. */
export async function startPgDump(job: PgDumpJob, signal: AbortSignal): Promise<PgDump> {
  const end = new AbortController()
  const own = AbortSignal.any([signal, end.signal])
  const { format } = job
  return format === 'directory'
    ? await startIntoDirectory(job, own, end)
    : await startStream({ ...job, format }, own, end)
}

async function startStream(
  job: PgDumpJob & { readonly format: Exclude<PgDumpFormat, 'directory'> },
  own: AbortSignal,
  end: AbortController,
): Promise<PgDump> {
  const { format, tools, request } = job
  const marker =
    format === 'plain' ? new ScriptEnd() : await ArchiveContents.start(tools.pgRestore, LETTERS[format], own)
  const tool = await startProgram(job, [], 'pipe', own)
  const { stdout } = tool
  if (stdout === null) throw new Error('a piped stdout is missing')
  const made = succeeded(tool)
  const begun = Promise.withResolvers<void>()
  // as long as somebody listens, what a program has printed when it ends is not thrown away
  const hold = () => begun.resolve()
  stdout.on('readable', hold)
  return {
    ended: Promise.race([begun.promise, settled(tool.exit)]),
    finish: async (onBytes, signal) => {
      stdout.off('readable', hold)
      const [digest] = await together(signal, (both) => [
        flowOut(stdout, { sink: request.sink.stream(), marker, onBytes, made }, both),
        made,
      ])
      return digest
    },
    stop: async () => {
      end.abort()
      await Promise.all([settled(tool.exit), marker.ended])
    },
  }
}

/** Several processes write into a directory, which is then sent on as one tar. */
async function startIntoDirectory(job: PgDumpJob, own: AbortSignal, end: AbortController): Promise<PgDump> {
  const { request, tools, parts } = job
  const directory = join(request.scratchDir, 'dump')
  // not synced: it is read back at once, and what counts is where it is stored then
  const args = [`--file=${directory}`, `--jobs=${parts.patience.parallel}`, '--no-sync']
  const tool = await startProgram(job, args, 'ignore', own)
  const made = succeeded(tool)
  return {
    ended: settled(tool.exit),
    finish: async (onBytes, signal) => {
      await made
      await requireContents(tools.pgRestore, directory, signal)
      return await flowOut(
        tarOfDump(directory),
        { sink: request.sink.stream(), marker: null, onBytes, made },
        signal,
      )
    },
    stop: async () => {
      end.abort()
      await settled(tool.exit)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function startProgram(
  job: PgDumpJob,
  args: readonly string[],
  stdout: 'pipe' | 'ignore',
  signal: AbortSignal,
): Promise<Tool> {
  const { connection } = job.parts
  const { format, tools, snapshot, request } = job
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
      env: { ...toolEnvironment(connection), TMPDIR: request.scratchDir },
      onStderr: (text) => job.warnings.hear(text),
    },
    signal,
  )
}

/** Rejects with why pg_dump did not succeed, as far as that is known. Need not be listened to. */
function succeeded(tool: Tool): Promise<void> {
  const made = tool.done.catch((error: unknown) => Promise.reject(failureOfTool(error, 'pg_dump')))
  made.catch(() => {})
  return made
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => {})
}
