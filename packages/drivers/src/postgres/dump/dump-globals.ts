import type { Readable } from 'node:stream'
import type { Attachment, GlobalsChoice, Tool } from '@holdfast/core'
import { AppError, startTool } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import { failureOfTool } from '../failure.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import type { Session } from '../session.ts'
import { requireTrailer } from './end-marker.ts'
import type { ToolWarnings } from './tool-warnings.ts'

/** Attachments are texts, and small: this is for a hundred thousand roles. */
const MOST_BYTES = 48 * 1024 * 1024

/** Rejects with DATABASE_ACCESS_DENIED beforehand if the user may not see what was asked for. */
export async function requireGlobals(session: Session, choice: GlobalsChoice): Promise<void> {
  if (choice !== 'with-passwords') return
  const [row] = await session.query<{ allowed: boolean }>(
    `SELECT has_table_privilege('pg_authid', 'SELECT') AS allowed`,
  )
  if (row?.allowed === true) return
  throw new AppError('DATABASE_ACCESS_DENIED', 'the user of PostgreSQL may not read the passwords of roles', {
    hint: "ask for 'globals: without-passwords', or back up as a superuser",
  })
}

/** Where globals are read, and by which program. */
interface GlobalsJob {
  readonly parts: Pick<PostgresParts, 'connection'>
  readonly tools: ClientTools
  readonly database: string
  readonly tag: string
  readonly warnings: ToolWarnings
}

/** Roles, their settings and memberships, and tablespaces of the whole server: what no dump of a database has. */
export async function dumpGlobals(
  { parts, tools, database, tag, warnings }: GlobalsJob,
  choice: GlobalsChoice,
  signal: AbortSignal,
): Promise<readonly Attachment[]> {
  if (choice === 'none') return []
  const { connection } = parts
  const conninfo = conninfoOf(connection, database, tag)
  const args = [
    '--globals-only',
    '--encoding=UTF8',
    '--no-password',
    ...(choice === 'without-passwords' ? ['--no-role-passwords'] : []),
    `--dbname=${conninfo}`,
    // it takes its database from here alone, and would take a name with an equals sign for more than a name
    `--database=${conninfo}`,
  ]
  const env = toolEnvironment(connection)
  const onStderr = (text: string) => warnings.hear(text)
  const tool = await startTool(
    { program: tools.pgDumpall, args, stdin: 'ignore', stdout: 'pipe', env, onStderr },
    signal,
  )
  if (tool.stdout === null) throw new Error('a piped stdout is missing')
  const printed = await readPrinted(tool, tool.stdout)
  await tool.done.catch((error: unknown) => Promise.reject(failureOfTool(error, 'pg_dumpall')))
  const content = textOf(printed)
  requireTrailer(content)
  return [{ role: 'globals', format: 'sql', content }]
}

async function readPrinted(tool: Tool, stdout: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MOST_BYTES) tool.kill()
  })
  await tool.exit
  if (bytes <= MOST_BYTES) return Buffer.concat(chunks)
  throw new AppError('TOOL_FAILED', 'the roles of the server take more space than an attachment may', {
    hint: "ask for 'globals: none' and dump them on their own",
  })
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new AppError(
      'TOOL_FAILED',
      'names of roles or tablespaces of the server are not valid in its encoding',
      {
        cause,
        hint: "rename them, or ask for 'globals: none'",
      },
    )
  }
}
