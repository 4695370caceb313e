import type { TransformCallback } from 'node:stream'
import { Transform } from 'node:stream'
import { AppError, CHUNK_BYTES } from '@holdfast/core'

/** What both flavours write last, and only after everything else. */
const TRAILER = /(?:^|\n)-- Dump completed on [^\n]{1,60}\n$/
const TRAILER_WITHIN_BYTES = 256
/** The dump program escapes line breaks in values: what ends like this ends a statement. */
const STATEMENT_END = Buffer.from(';\n')
/** Enough for a CREATE with the longest name of backticks of three bytes each. */
const HEAD_BYTES = 640
const CREATES = /^CREATE (?:TABLE|SEQUENCE) `((?:[^`]|``)+)`/

/**
 * Looks at a dump as it passes: which tables it holds, how long its longest statement is, and whether it is whole. Keeps
 * a few bytes at a time.
 */
export class ScriptWatch extends Transform {
  readonly #tables: string[] = []
  #largest = 0
  /** Of the statement that has begun and not ended yet. */
  #bytes = 0
  #head = Buffer.alloc(0)
  #tail = Buffer.alloc(0)
  /** Between `DELIMITER ;;` and `DELIMITER ;`, where pieces of programs end like statements. */
  #isInProgram = false

  constructor() {
    super({ highWaterMark: CHUNK_BYTES })
  }

  /** Tables and sequences that the dump makes, as they came. */
  get tables(): readonly string[] {
    return this.#tables
  }

  /** Of all statements that ended so far; for programs it is at least that of their longest line. */
  get largestStatementBytes(): number {
    return this.#largest
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#split(chunk)
    const tail = chunk.length >= TRAILER_WITHIN_BYTES ? chunk : Buffer.concat([this.#tail, chunk])
    // copied: a piece of a chunk would keep all of it
    this.#tail = Buffer.from(tail.subarray(-TRAILER_WITHIN_BYTES))
    done(null, chunk)
  }

  /** Rejects with TOOL_FAILED if what passed does not end as whole dumps do. */
  async confirm(): Promise<void> {
    if (TRAILER.test(this.#tail.toString('latin1'))) return
    throw new AppError('TOOL_FAILED', 'the dump does not end as its program ends every dump', {
      hint: 'its program claimed that all went well: try again, or install another version of it',
    })
  }

  #split(chunk: Buffer): void {
    let from = 0
    // the two bytes of an end may come in two chunks
    if (this.#tail.at(-1) === STATEMENT_END[0] && chunk[0] === STATEMENT_END[1]) from = this.#end(chunk, 0, 1)
    for (;;) {
      const at = chunk.indexOf(STATEMENT_END, from)
      if (at < 0) break
      from = this.#end(chunk, from, at + STATEMENT_END.length)
    }
    this.#take(chunk, from, chunk.length)
  }

  #take(chunk: Buffer, from: number, to: number): void {
    const missing = HEAD_BYTES - this.#head.length
    if (missing > 0)
      this.#head = Buffer.concat([this.#head, chunk.subarray(from, Math.min(to, from + missing))])
    this.#bytes += to - from
  }

  #end(chunk: Buffer, from: number, to: number): number {
    this.#take(chunk, from, to)
    this.#largest = Math.max(this.#largest, this.#bytes)
    this.#read(this.#head.toString('utf8'))
    this.#head = Buffer.alloc(0)
    this.#bytes = 0
    return to
  }

  #read(statement: string): void {
    if (statement === 'DELIMITER ;;\n') this.#isInProgram = true
    else if (statement === 'DELIMITER ;\n') this.#isInProgram = false
    else if (!this.#isInProgram) {
      const [, name] = CREATES.exec(statement) ?? []
      if (name !== undefined) this.#tables.push(name.replaceAll('``', '`'))
    }
  }
}
