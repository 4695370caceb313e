import { createInterface } from 'node:readline'
import type { DumpDescription } from '@holdfast/core'
import { AppError, startTool } from '@holdfast/core'
import { checkOutside } from '../check/check-outside.ts'
import type { ClientTools } from '../client-tools.ts'
import { failureOfLoad } from './load-failure.ts'
import { ToolLog } from './tool-log.ts'

const FORMATS = ['custom', 'plain', 'directory', 'tar'] as const
type Format = (typeof FORMATS)[number]

/** A dump that lies in a file or, unpacked, in a directory, and whose beginning and end are what they must be. */
export interface Archive {
  readonly format: Format
  readonly path: string
  /** Of its table of contents; a script has none. */
  readonly entries: number | null
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
  const entries = format === 'plain' ? null : await countEntries(tools, path, signal)
  return { format, path, entries }
}

async function requireSound(dump: DumpDescription, file: string, signal: AbortSignal): Promise<void> {
  const { valid, message } = await checkOutside({ file, dump }, signal)
  if (!valid) throw new AppError('VERIFICATION_FAILED', `not restorable: ${message}`)
}

async function countEntries(
  { pgRestore }: Pick<ClientTools, 'pgRestore'>,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  const log = new ToolLog()
  const request = { program: pgRestore, args: ['--list', path], stdin: 'ignore', stdout: 'pipe' } as const
  const tool = await startTool({ ...request, onStderr: log.hear }, signal)
  let entries = 0
  if (tool.stdout !== null) {
    for await (const line of createInterface({ input: tool.stdout })) {
      if (line !== '' && !line.startsWith(';')) entries += 1
    }
  }
  try {
    await tool.done
    return entries
  } catch (error) {
    throw await failureOfLoad(error, 'pg_restore', log, null)
  }
}
