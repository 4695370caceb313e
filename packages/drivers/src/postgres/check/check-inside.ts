import type { DumpDescription } from '@holdfast/core'
import type { Finding } from '../../client-server/finding.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { archiveFormatOf } from './check-outside.ts'
import { readArchive } from './read-archive.ts'
import { toolsForDump } from './tools-for-dump.ts'

/**
 * Whether a dump that lies where PostgreSQL's programs can read it is whole, as far as they can tell without a server.
 * Rejects with TOOL_MISSING or TOOL_TOO_OLD.
 */
export async function checkInside(
  { toolbox }: Pick<PostgresParts, 'toolbox'>,
  dump: DumpDescription,
  path: string,
  signal: AbortSignal,
): Promise<Finding> {
  const format = archiveFormatOf(dump)
  if (format === null) return { valid: true, message: 'the script begins and ends as pg_dump wrote it' }
  const tools = await toolsForDump(toolbox, dump)
  return readArchive(tools, dump, { path, kind: format.kind }, signal)
}
