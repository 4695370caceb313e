import { once } from 'node:events'
import type { Readable } from 'node:stream'
import type { Digest, DumpSink, Tool } from '@holdfast/core'
import { startTool, together } from '@holdfast/core'
import { flowOut } from '../../client-server/flow-out.ts'
import { TOOL_ENVIRONMENT } from '../option-file.ts'
import { dumpFailure } from './dump-failure.ts'
import { ScriptWatch } from './script-watch.ts'
import type { ToolWarnings } from './tool-warnings.ts'

/** What the dump program is to do. */
export interface MysqlDumpJob {
  readonly program: string
  /** All of them. */
  readonly args: readonly string[]
  readonly sink: DumpSink
  readonly warnings: ToolWarnings
}

/** A dump program at work. Whoever started it stops it, however it ends. */
export interface MysqlDump {
  /**
   * Resolves when its transaction has begun, as the first section of its script shows, or when it has ended. Nothing
   * has reached the sink by then.
   */
  readonly begun: Promise<void>
  /** Lets what it writes flow into the sink. Rejects with why it failed. */
  finish(onBytes: (bytes: number) => void, signal: AbortSignal): Promise<Dumped>
  /** Ends it. Never rejects. */
  stop(): Promise<void>
}

/** A script that has flowed out, and is whole. */
export interface Dumped {
  readonly digest: Digest
  /** Tables and sequences in it. */
  readonly tables: readonly string[]
  readonly largestStatementBytes: number
}

/** Where the first section begins; what comes before it is written before the transaction begins. */
const SECTION = '\n\n--\n-- '
/** The head of a script is smaller by far. */
const HEAD_BYTES = 65_536

/** Starts the dump program. */
export async function startMysqlDump(job: MysqlDumpJob, signal: AbortSignal): Promise<MysqlDump> {
  const end = new AbortController()
  const { program, args, warnings } = job
  const onStderr = (text: string) => warnings.hear(text)
  const own = AbortSignal.any([signal, end.signal])
  const io = { stdin: 'ignore', stdout: 'pipe', onStderr } as const
  const tool = await startTool({ program, args, env: TOOL_ENVIRONMENT, ...io }, own)
  const { stdout } = tool
  if (stdout === null) throw new Error('a piped stdout is missing')
  const made = succeeded(tool)
  // as long as somebody listens, what a program has printed when it ends is not thrown away
  const hold = () => {}
  stdout.on('readable', hold)
  // whoever waits for the end hears why
  const section = hasSection(stdout).catch(() => false)
  return {
    begun: section.then(() => {}),
    finish: async (onBytes, stop) => {
      // one that waits for the server notices nothing else
      stop.addEventListener('abort', () => end.abort(), { once: true })
      const watch = new ScriptWatch()
      if (!(await section)) {
        await made
        await watch.confirm()
      }
      stdout.off('readable', hold)
      const [digest] = await together(stop, (both) => [
        flowOut(stdout, { sink: job.sink.stream(), marker: watch, onBytes, made }, both),
        made,
      ])
      const { tables, largestStatementBytes } = watch
      return { digest, tables, largestStatementBytes }
    },
    stop: async () => {
      end.abort()
      await tool.exit.catch(() => {})
    },
  }
}

/** Reads until the first section, and puts back what was read. False if it ended before. */
async function hasSection(stdout: Readable): Promise<boolean> {
  const gone = new AbortController()
  const ended = once(stdout, 'close', { signal: gone.signal }).catch(() => {})
  let read: Buffer = Buffer.alloc(0)
  try {
    while (!read.includes(SECTION) && read.length < HEAD_BYTES) {
      const chunk: unknown = stdout.read()
      if (chunk instanceof Buffer) read = Buffer.concat([read, chunk])
      else if (stdout.readableEnded || stdout.destroyed) return false
      else await Promise.race([once(stdout, 'readable', { signal: gone.signal }), ended])
    }
  } finally {
    gone.abort()
  }
  // in the same turn as the last piece was read: what is whole in it has not been told to have ended yet
  stdout.unshift(read)
  return true
}

/** Rejects with why the program did not succeed, as far as that is known. Need not be listened to. */
function succeeded(tool: Tool): Promise<void> {
  const made = tool.done.catch((error: unknown) => Promise.reject(dumpFailure(error)))
  made.catch(() => {})
  return made
}
