import type { TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import type { Tool } from '@holdfast/core'
import { AppError, CHUNK_BYTES, startTool } from '@holdfast/core'

/** Looks at a dump as it passes, and knows in the end whether that was all of it. */
export interface EndMarker extends Transform {
  /** Resolves when nothing is at work for it any more. */
  readonly ended: Promise<unknown>
  /** Rejects with TOOL_FAILED if what passed is not a whole dump. */
  confirm(): Promise<void>
}

/** What pg_dump and pg_dumpall write last, but for a line that ends a restriction of psql. */
const TRAILER = /\n--\n-- PostgreSQL database (?:cluster )?dump complete\n--\n\s*(?:\\unrestrict \w+\s*)?$/
const TRAILER_WITHIN_BYTES = 1024

/** For a script: its last lines. */
export class ScriptEnd extends Transform implements EndMarker {
  readonly ended = Promise.resolve()
  #tail = Buffer.alloc(0)

  constructor() {
    super({ highWaterMark: CHUNK_BYTES })
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const tail = chunk.length >= TRAILER_WITHIN_BYTES ? chunk : Buffer.concat([this.#tail, chunk])
    // copied: a piece of a chunk would keep all of it
    this.#tail = Buffer.from(tail.subarray(-TRAILER_WITHIN_BYTES))
    done(null, chunk)
  }

  async confirm(): Promise<void> {
    requireTrailer(this.#tail.toString('latin1'))
  }
}

/** Throws TOOL_FAILED unless the script ends as scripts of pg_dump do. */
export function requireTrailer(script: string): void {
  if (!TRAILER.test(script)) throw incomplete('does not end as its program ends every dump')
}

/**
 * For an archive: pg_restore reads its table of contents from the beginning of what passes, and needs no more than
 * that. The end of an archive says nothing; its program's exit does.
 */
export class ArchiveContents extends Transform implements EndMarker {
  readonly ended: Promise<unknown>
  readonly #reader: Tool
  #isReading = true

  /** The archive is of format `c` or `t`. */
  static async start(pgRestore: string, format: 'c' | 't', signal: AbortSignal): Promise<ArchiveContents> {
    const args = ['--list', `--format=${format}`]
    return new ArchiveContents(
      await startTool({ program: pgRestore, args, stdin: 'pipe', stdout: 'ignore' }, signal),
    )
  }

  private constructor(reader: Tool) {
    super({ highWaterMark: CHUNK_BYTES })
    this.#reader = reader
    this.ended = reader.exit.catch(() => {})
    // when it has seen enough it closes its end, which is no failure
    reader.stdin?.once('close', () => {
      this.#isReading = false
    })
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { stdin } = this.#reader
    if (!this.#isReading || stdin === null || stdin.destroyed || stdin.write(chunk)) {
      done(null, chunk)
      return
    }
    const goOn = () => {
      stdin.off('drain', goOn).off('close', goOn)
      done(null, chunk)
    }
    stdin.once('drain', goOn).once('close', goOn)
  }

  override _flush(done: TransformCallback): void {
    this.#reader.stdin?.end()
    done()
  }

  async confirm(): Promise<void> {
    await requireListed(this.#reader)
  }
}

/** Rejects with TOOL_FAILED unless pg_restore can read the table of contents of a dump that lies in a directory. */
export async function requireContents(
  pgRestore: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const args = ['--list', '--format=d', directory]
  await requireListed(
    await startTool({ program: pgRestore, args, stdin: 'ignore', stdout: 'ignore' }, signal),
  )
}

async function requireListed(reader: Tool): Promise<void> {
  const { code } = await reader.exit
  if (code !== 0) await reader.done.catch((cause: unknown) => Promise.reject(asIncomplete(cause)))
}

function asIncomplete(cause: unknown): unknown {
  if (cause instanceof AppError && cause.code !== 'TOOL_FAILED') return cause
  return incomplete('has no table of contents that pg_restore could read', cause)
}

function incomplete(problem: string, cause?: unknown): AppError {
  return new AppError('TOOL_FAILED', `the dump ${problem}`, {
    cause,
    hint: 'its program claimed that all went well: try again, or install another version of it',
  })
}
