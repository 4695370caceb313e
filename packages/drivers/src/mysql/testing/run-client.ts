import type { ToolExit } from '@holdfast/core'
import { startTool } from '@holdfast/core'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { MARIADB } from '../flavours.ts'
import { parseMysqlUrl } from '../mysql-url.ts'
import { TOOL_ENVIRONMENT, writeOptionFile } from '../option-file.ts'

/** How a program ended and what it printed. */
export interface ToolRun extends ToolExit {
  readonly stdout: string
}

/** Runs a client program with the login of a URL, as the engine does. */
export async function runClient(program: string, url: string, args: readonly string[]): Promise<ToolRun> {
  const place = await makeTemporaryDirectory('run-client')
  const login = await writeOptionFile(parseMysqlUrl(url), place.path, MARIADB)
  try {
    const request = {
      program,
      args: [login.argument, ...args],
      env: TOOL_ENVIRONMENT,
    }
    const tool = await startTool(
      { ...request, stdin: 'ignore', stdout: 'pipe' },
      new AbortController().signal,
    )
    let stdout = ''
    for await (const text of tool.stdout?.setEncoding('utf8') ?? []) stdout += text
    return { ...(await tool.exit), stdout }
  } finally {
    await login.remove()
    await place.remove()
  }
}
