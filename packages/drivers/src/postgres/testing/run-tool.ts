import type { ToolExit } from '@holdfast/core'
import { startTool } from '@holdfast/core'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import { parsePostgresUrl } from '../postgres-url.ts'

/** How a tool ended and what it printed. */
export interface ToolRun extends ToolExit {
  readonly stdout: string
}

/** Runs one of PostgreSQL's tools on the database of a URL, as the engine does. */
export async function runTool(program: string, url: string, args: readonly string[]): Promise<ToolRun> {
  const connection = parsePostgresUrl(url)
  const conninfo = conninfoOf(connection, connection.database ?? 'postgres', 'tests')
  const request = { program, args: ['-w', '-d', conninfo, ...args], env: toolEnvironment(connection) }
  const signal = new AbortController().signal
  const tool = await startTool({ ...request, stdin: 'ignore', stdout: 'pipe' }, signal)
  let stdout = ''
  for await (const text of tool.stdout?.setEncoding('utf8') ?? []) stdout += text
  return { ...(await tool.exit), stdout }
}
