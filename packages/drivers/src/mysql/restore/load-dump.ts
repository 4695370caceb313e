import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import type { TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Tool } from '@holdfast/core'
import { AppError, CHUNK_BYTES, cancellation, startTool } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import type { Flavour } from '../flavours.ts'
import type { MysqlConnection } from '../mysql-url.ts'
import { TOOL_ENVIRONMENT, writeOptionFile } from '../option-file.ts'
import { failureOfLoad } from './load-failure.ts'
import type { LoadPlan } from './load-filter.ts'
import { LoadFilter } from './load-filter.ts'
import { requireWhole } from './require-whole.ts'
import { knowsSandbox } from './sandbox.ts'

/** A dump that goes into an empty schema of ours. */
export interface LoadRequest {
  readonly connection: MysqlConnection
  readonly tools: ClientTools
  /** Private, for the option file. */
  readonly directory: string
  readonly schema: string
  /** Where the dump lies. */
  readonly path: string
  readonly contents: Contents
  /** Hears how much of the dump has been read. */
  readonly onBytes: (bytes: number) => void
}

/**
 * Settings of the session of the client, over those that a server or an account may have: no time limits, messages that
 * we understand, and rows as they were, whatever constraint somebody added to a table later.
 */
const SETTINGS: Readonly<Record<Flavour['name'], readonly string[]>> = {
  MariaDB: ['max_statement_time=0', 'check_constraint_checks=0', 'idle_transaction_timeout=0'],
  MySQL: [],
}
const COMMON_SETTINGS = [
  "lc_messages='en_US'",
  'wait_timeout=2147483',
  'net_read_timeout=3600',
  'net_write_timeout=3600',
]

/**
 * Loads a whole dump without its events, all of it as the property of whoever loads, stopping at the first error.
 * Rejects with ARTIFACT_CORRUPT if it is not a whole dump of its contents, with VERIFICATION_FAILED, naming the object,
 * if the dump is to blame, with RESTORE_NOT_POSSIBLE if the server lacks something, otherwise with what the server, the
 * network or the tool had. No process outlives this.
 */
export async function loadDump(request: LoadRequest, signal: AbortSignal): Promise<void> {
  const { connection, directory, tools, contents, schema } = request
  const options = await writeOptionFile(connection, directory, tools.flavour)
  const plan: LoadPlan = {
    source: contents.schema,
    schema,
    asOwn: true,
    keepsSandbox: knowsSandbox(tools),
    programs: contents.programs,
  }
  const filter = new LoadFilter(plan)
  try {
    const args = [options.argument, ...clientArguments(tools, schema)]
    const io = { stdin: 'pipe', stdout: 'ignore' } as const
    const tool = await startTool({ program: tools.client, args, env: TOOL_ENVIRONMENT, ...io }, signal)
    await feed(request, filter, tool, signal)
    requireWhole(filter.shape, contents)
  } finally {
    await options.remove()
  }
}

function clientArguments({ flavour }: ClientTools, schema: string): readonly string[] {
  const settings = [...COMMON_SETTINGS, ...SETTINGS[flavour.name]].map((setting) => `SESSION ${setting}`)
  return [
    '--batch',
    '--binary-mode',
    // without it the client takes them out of the bodies of programs
    '--comments',
    '--default-character-set=utf8mb4',
    '--max-allowed-packet=1G',
    '--skip-auto-rehash',
    '--skip-reconnect',
    `--init-command=SET ${settings.join(', ')}`,
    `--database=${schema}`,
  ]
}

async function feed(
  { path, tools, schema, onBytes }: LoadRequest,
  filter: LoadFilter,
  tool: Tool,
  signal: AbortSignal,
): Promise<void> {
  const { stdin } = tool
  if (stdin === null) throw new Error('a client without an input was started')
  const source = createReadStream(path, { highWaterMark: CHUNK_BYTES })
  let refusal: unknown = null
  const feeding = pipeline(source, new FilterStream(filter, onBytes), stdin).catch((error: unknown) => {
    // a client that has stopped reads no further: its exit says why
    if (!(error instanceof AppError)) return
    refusal = error
    tool.kill()
  })
  try {
    await tool.done
  } catch (error) {
    if (signal.aborted) throw cancellation(signal)
    throw refusal ?? failureOfLoad(error, basename(tools.client), schema, (line) => filter.objectAt(line))
  } finally {
    source.destroy()
    await feeding
  }
  // it was ended, or got to the end of what it was given, before it heard of that
  if (refusal !== null) throw refusal
}

/** Errors of the filter come out of the stream as they are. */
class FilterStream extends Transform {
  readonly #filter: LoadFilter
  readonly #onBytes: (bytes: number) => void
  #bytes = 0

  constructor(filter: LoadFilter, onBytes: (bytes: number) => void) {
    super({ readableHighWaterMark: CHUNK_BYTES, writableHighWaterMark: CHUNK_BYTES })
    this.#filter = filter
    this.#onBytes = onBytes
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      for (const piece of this.#filter.take(chunk)) this.push(piece)
    } catch (error) {
      done(asError(error))
      return
    }
    this.#bytes += chunk.length
    this.#onBytes(this.#bytes)
    done()
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#filter.end()
      done()
    } catch (error) {
      done(asError(error))
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('the filter failed', { cause: error })
}
