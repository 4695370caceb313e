import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { startTool } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import { conninfoOf, toolEnvironment } from '../conninfo.ts'
import type { PostgresConnection } from '../postgres-url.ts'
import { failureOfLoad } from './load-failure.ts'
import { ToolLog } from './tool-log.ts'

/** A database to which tools connect. */
export interface ToolPlace {
  readonly connection: PostgresConnection
  readonly database: string
  readonly applicationName: string
  readonly tools: ClientTools
  readonly serverVersion: number
  /** Superusers alone may have messages in the language that we understand, whatever the server speaks. */
  readonly isSuperuser?: boolean
}

/** What psql reads. */
export interface Script {
  readonly content: Readable
  /** Where it lies, so that the object in which it fails can be named; null for what lies nowhere. */
  readonly file: string | null
}

const OPTIONS = [
  '-X',
  '-q',
  '-w',
  '-v',
  'ON_ERROR_STOP=1',
  '-v',
  'VERBOSITY=verbose',
  '-v',
  'SHOW_CONTEXT=never',
]

/** Options of psql that make it stop at an error, say what is of use alone, and connect to this place. */
export function psqlArguments({ connection, database, applicationName }: ToolPlace): readonly string[] {
  return [...OPTIONS, '-d', conninfoOf(connection, database, applicationName)]
}

/**
 * The environment of tools that load: over the settings of the role and the database, which must not change what a
 * dump means. What is not on the disk when a statement ends comes there before the swap: a commit that waits for the
 * disk waits for all that was written before it.
 */
export function loadEnvironment({
  connection,
  serverVersion,
  isSuperuser = false,
}: ToolPlace): Readonly<Record<string, string>> {
  const environment = toolEnvironment(connection)
  const settings = [
    'default_transaction_read_only=off',
    'synchronous_commit=off',
    ...(serverVersion >= 140_000 ? ['idle_session_timeout=0'] : []),
    ...(serverVersion >= 170_000 ? ['transaction_timeout=0'] : []),
    ...(isSuperuser ? ['lc_messages=C'] : []),
  ]
  const options = [environment.PGOPTIONS ?? '', ...settings.map((setting) => `-c ${setting}`)]
  return { ...environment, PGOPTIONS: options.join(' ') }
}

/** Runs a script to its end, or to its first error: rejects like `loadDump`. */
export async function runPsql(
  place: ToolPlace,
  more: readonly string[],
  { content, file }: Script,
  signal: AbortSignal,
): Promise<void> {
  const log = new ToolLog()
  const args = [...psqlArguments(place), ...more, '-f', '-']
  const io = { stdin: 'pipe', stdout: 'ignore', env: loadEnvironment(place), onStderr: log.hear } as const
  const tool = await startTool({ program: place.tools.psql, args, ...io }, signal)
  // a psql that has stopped reads no further: its exit says why
  const feeding = tool.stdin === null ? null : pipeline(content, tool.stdin).catch(() => {})
  try {
    await tool.done
  } catch (error) {
    throw await failureOfLoad(error, 'psql', log, file)
  } finally {
    content.destroy()
    await feeding
  }
}
