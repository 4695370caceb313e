import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { AppError, CHUNK_BYTES, startTool } from '@holdfast/core'
import { escapeLiteral } from 'pg'
import type { ClientTools } from '../client-tools.ts'
import { LARGE_OBJECTS, quotedTable } from '../contents/table-names.ts'
import type { Archive } from './archive.ts'
import { failureOfLoad } from './load-failure.ts'
import { ToolLog } from './tool-log.ts'
import { TransactionFilter } from './transaction-filter.ts'

/** More than what follows the last statement of a dump. */
const TAIL_BYTES = 4096
/** How a script ends that `pg_restore -1` prints: its own commit comes before its last words. */
const END_OF_ARCHIVE =
  /\nCOMMIT;\n\n--\n-- PostgreSQL database dump complete\n--\n\n(?:\\unrestrict \w+\n\n)?$/
const END_OF_SCRIPT = /\n--\n-- PostgreSQL database dump complete\n--\n\n(?:\\unrestrict \w+\n\n)?$/

/**
 * The statements of a dump, to be carried out in a transaction that somebody else begins and ends. Rejects with
 * VERIFICATION_FAILED for what is no whole dump.
 */
export async function* statementsOf(
  { format, path }: Archive,
  { pgRestore }: Pick<ClientTools, 'pgRestore'>,
  keepOwners: boolean,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  if (format === 'plain') {
    const source = createReadStream(path, { highWaterMark: CHUNK_BYTES })
    return yield* withoutEnd(withoutTransactions(source), END_OF_SCRIPT)
  }
  const log = new ToolLog()
  const args = ['-1', '-f', '-', ...(keepOwners ? [] : ['--no-owner', '--no-privileges']), path]
  const io = { stdin: 'ignore', stdout: 'pipe', onStderr: log.hear } as const
  const tool = await startTool({ program: pgRestore, args, ...io }, signal)
  try {
    if (tool.stdout !== null) yield* withoutEnd(tool.stdout, END_OF_ARCHIVE)
    await tool.done
  } catch (error) {
    throw await failureOfLoad(error, 'pg_restore', log, null)
  } finally {
    tool.kill()
  }
}

/** Statements that print a line with this word, the number of each table and how many rows it has. */
export function countStatements(keys: readonly string[], word: string): string {
  return keys.map((key, at) => `SELECT '${word} ${at} ' || ${countOf(key)};\n`).join('')
}

/** Those that inherit from an ordinary table are counted apart, those that are parts of one are not. */
function countOf(key: string): string {
  if (key === LARGE_OBJECTS) return '(SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)'
  const table = quotedTable(readKey(key))
  const itself = `${escapeLiteral(table)}::pg_catalog.regclass`
  const isParted = `(SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = ${itself})`
  return `(SELECT count(*) FROM ${table} WHERE tableoid = ${itself} OR ${isParted})`
}

/** What `tableKey` has written. */
function readKey(key: string): { readonly schema: string; readonly name: string } {
  const [schema, name, more] = [...key.matchAll(/"((?:[^"]|"")*)"|([^."]+)/g)].map(
    ([, inQuotes, plain = '']) => (inQuotes === undefined ? plain : inQuotes.replaceAll('""', '"')),
  )
  if (schema !== undefined && name !== undefined && more === undefined) return { schema, name }
  throw new AppError('ARTIFACT_CORRUPT', 'the row counts of the backup name something that is no table')
}

async function* withoutEnd(source: AsyncIterable<Buffer>, end: RegExp): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    const both = Buffer.concat([held, chunk])
    const passing = Math.max(0, both.length - TAIL_BYTES)
    if (passing > 0) yield both.subarray(0, passing)
    held = both.subarray(passing)
  }
  const found = end.exec(held.toString('latin1'))
  if (found === null) {
    throw new AppError('VERIFICATION_FAILED', 'not restorable: the dump does not end as one of pg_dump does')
  }
  yield Buffer.concat([held.subarray(0, found.index), Buffer.from('\n')])
}

/**
 * In a script the data of large objects comes in transactions of its own, which would commit everything before them:
 * these are taken out, and nothing else is touched.
 */
async function* withoutTransactions(source: Readable): AsyncGenerator<Buffer> {
  const filter = new TransactionFilter()
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of source) {
    const both = Buffer.concat([rest, chunk])
    const { kept, from } = filter.take(both)
    yield kept
    rest = both.subarray(from)
  }
  yield rest
}
