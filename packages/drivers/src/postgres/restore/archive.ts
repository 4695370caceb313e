import { Readable } from 'node:stream'
import type { DumpDescription } from '@holdfast/core'
import { AppError, startTool } from '@holdfast/core'
import { checkOutside } from '../check/check-outside.ts'
import type { ClientTools } from '../client-tools.ts'
import { linesOf } from './lines.ts'
import { failureOfLoad } from './load-failure.ts'
import type { TableOfContents } from './table-of-contents.ts'
import { readTableOfContents } from './table-of-contents.ts'
import { ToolLog } from './tool-log.ts'

const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const
type Format = (typeof FORMATS)[number]

/** A dump that lies in a file or, unpacked, in a directory, and whose beginning and end are what they must be. */
export interface Archive {
  readonly format: Format
  readonly path: string
  /** A script has none. */
  readonly toc: TableOfContents | null
}

/** Throws INVALID_REQUEST for a format of another engine. */
export function requireFormat(format: string): Format {
  const known = FORMATS.find((name) => name === format)
  if (known !== undefined) return known
  throw new AppError('INVALID_REQUEST', `the PostgreSQL driver cannot restore the format ${format}`)
}

/**
 * Looks at a dump from outside, and at its table of contents. Rejects with VERIFICATION_FAILED for what is no whole
 * dump, before anything is created for it.
 */
export async function openArchive(
  tools: Pick<ClientTools, 'pgRestore'>,
  dump: DumpDescription,
  path: string,
  signal: AbortSignal,
): Promise<Archive> {
  const format = requireFormat(dump.format)
  // one of format directory is unpacked by now, which shows more
  if (format !== 'directory') await requireSound(dump, path, signal)
  const toc = format === 'plain' ? null : await listEntries(tools, path, signal)
  return { format, path, toc }
}

/** What an archive lists under a number: kind, schema, name and owner. Null if it cannot be told. */
export async function findEntry(
  { pgRestore }: Pick<ClientTools, 'pgRestore'>,
  path: string,
  number: number,
  signal: AbortSignal,
): Promise<string | null> {
  const request = { program: pgRestore, args: ['--list', path], stdin: 'ignore', stdout: 'pipe' } as const
  const tool = await startTool(request, signal)
  try {
    for await (const line of linesOf(tool.stdout ?? Readable.from([]))) {
      if (line.startsWith(`${number}; `)) return line
    }
    return null
  } catch {
    return null
  } finally {
    tool.kill()
    await tool.exit.catch(() => {})
  }
}

async function requireSound(dump: DumpDescription, file: string, signal: AbortSignal): Promise<void> {
  const { valid, message } = await checkOutside({ file, dump }, signal)
  if (!valid) throw new AppError('VERIFICATION_FAILED', `not restorable: ${message}`)
}

async function listEntries(
  { pgRestore }: Pick<ClientTools, 'pgRestore'>,
  path: string,
  signal: AbortSignal,
): Promise<TableOfContents> {
  const log = new ToolLog()
  const request = { program: pgRestore, args: ['--list', path], stdin: 'ignore', stdout: 'pipe' } as const
  const tool = await startTool({ ...request, onStderr: log.hear }, signal)
  const reading = readTableOfContents(tool.stdout ?? Readable.from([]))
  // a listing that breaks off ends the reading in whatever way: the tool says why
  reading.catch(() => {})
  try {
    await tool.done
    return await reading
  } catch (error) {
    throw await failureOfLoad(error, 'pg_restore', log, null)
  }
}
