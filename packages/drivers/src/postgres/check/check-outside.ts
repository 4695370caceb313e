import { stat } from 'node:fs/promises'
import type { CheckRequest, DumpDescription } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Finding } from '../../client-server/finding.ts'
import { unsound } from '../../client-server/finding.ts'
import { findWrongEnds } from './plain-shape.ts'
import { findBrokenTar } from './tar-shape.ts'

/** How pg_restore calls a format, and whether it lies in a tar. */
export interface ArchiveFormat {
  readonly kind: 'c' | 't' | 'd'
  readonly isTar: boolean
}

const ARCHIVES: Readonly<Record<string, ArchiveFormat | null>> = {
  custom: { kind: 'c', isTar: false },
  tar: { kind: 't', isTar: true },
  directory: { kind: 'd', isTar: true },
  plain: null,
}

/**
 * Whether a dump in a file is one of its format, and is whole, as far as its outside tells. Rejects with
 * INVALID_REQUEST for a format that is not ours.
 */
export async function checkOutside(
  { file, dump }: Pick<CheckRequest, 'file' | 'dump'>,
  signal: AbortSignal,
): Promise<Finding> {
  const archive = archiveFormatOf(dump)
  const { size } = await stat(file)
  // what is appended to an archive no program notices
  if (size !== dump.sizeBytes) return unsound(`the dump has ${size} bytes instead of ${dump.sizeBytes}`)
  const problem =
    archive === null ? await findWrongEnds(file) : archive.isTar ? await findBrokenTar(file, signal) : null
  if (problem !== null) return unsound(`the dump is damaged: ${problem}`)
  return { valid: true, message: `the dump has all of its ${size} bytes` }
}

/** Null for scripts, which psql reads. Throws INVALID_REQUEST for a format that is not ours. */
export function archiveFormatOf({ format }: Pick<DumpDescription, 'format'>): ArchiveFormat | null {
  const archive = ARCHIVES[format]
  if (archive !== undefined) return archive
  throw new AppError('INVALID_REQUEST', `the PostgreSQL driver knows no format ${format}`)
}
