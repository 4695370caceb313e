import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { CheckRequest } from '@holdfast/core'
import { CHUNK_BYTES, hasCode, throwIfAborted } from '@holdfast/core'
import type { Finding } from '../../client-server/finding.ts'
import { unsound } from '../../client-server/finding.ts'
import type { Contents } from '../contents/contents-file.ts'
import { LoadFilter } from '../restore/load-filter.ts'
import { requireWhole } from '../restore/require-whole.ts'
import { findWrongEnds } from './dump-ends.ts'

/** Whether a dump is one of ours and is whole, as far as its size and its ends tell. */
export async function checkOutside({ file, dump }: Pick<CheckRequest, 'file' | 'dump'>): Promise<Finding> {
  const { size } = await stat(file)
  if (size !== dump.sizeBytes) return unsound(`the dump has ${size} bytes instead of ${dump.sizeBytes}`)
  const problem = await findWrongEnds(file)
  if (problem !== null) return unsound(`the dump is damaged: ${problem}`)
  return { valid: true, message: `the dump has all of its ${size} bytes` }
}

/**
 * Reads every statement of a dump in the way that a restore reads it, and compares the tables and programs that it
 * makes with what its source had. Needs no server.
 */
export async function checkStatements(
  { file, onProgress, dump }: Pick<CheckRequest, 'file' | 'dump' | 'onProgress'>,
  contents: Contents,
  signal: AbortSignal,
): Promise<Finding> {
  const { schema: source, programs } = contents
  const filter = new LoadFilter({ source, schema: source, asOwn: false, keepsSandbox: true, programs })
  let bytes = 0
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
      throwIfAborted(signal)
      filter.take(chunk)
      bytes += chunk.length
      onProgress({ bytes, totalBytes: dump.sizeBytes })
    }
    filter.end()
    requireWhole(filter.shape, contents)
  } catch (error) {
    if (hasCode(error, 'ARTIFACT_CORRUPT')) return unsound(error.message)
    throw error
  }
  const { tables } = filter.shape
  const number = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
  const parts = [number(tables.size, 'table'), number(programs.length, 'program')].join(' and ')
  return { valid: true, message: `the dump is whole: ${parts}, as in the source` }
}
