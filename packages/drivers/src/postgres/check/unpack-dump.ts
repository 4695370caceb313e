import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CheckRequest } from '@holdfast/core'
import { extractTar, requireScratchSpace } from '@holdfast/core'

/**
 * Runs work with a dump where PostgreSQL's programs can read it: a directory is unpacked beside the file that it lies
 * in, and gone afterwards. Rejects with TEMPORARY_SPACE_FULL, or ARTIFACT_CORRUPT for what cannot be unpacked.
 */
export async function withReadableDump<Result>(
  { file, dump }: Pick<CheckRequest, 'file' | 'dump'>,
  signal: AbortSignal,
  work: (path: string) => Promise<Result>,
): Promise<Result> {
  if (dump.format !== 'directory') return work(file)
  await requireScratchSpace(dirname(file), dump.sizeBytes)
  const place = await mkdtemp(join(dirname(file), 'unpacked-'))
  try {
    const path = join(place, 'dump')
    await extractTar(createReadStream(file), path, { signal })
    return await work(path)
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}
