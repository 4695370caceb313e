import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { toolAvailable } from './child-tool.ts'
import { encode, PROGRAM_FROM_BYTES } from './codec.ts'
import { decode } from './decode.ts'

const never = new AbortController().signal

it('compresses large files in process where the zstd program is missing', async () => {
  // before the first question: the answer is kept for the life of the process
  process.env.PATH = '/nonexistent'
  expect(await toolAvailable('zstd')).toBe(false)
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-codec-'))
  try {
    const content = Buffer.alloc(PROGRAM_FROM_BYTES, 'many rows alike ')
    const file = join(directory, 'large')
    await writeFile(file, content)
    const { stream, plain } = encode({ file, sizeBytes: content.length }, 'zstd', { signal: never })
    const [stored, digest] = await Promise.all([buffer(stream), plain])
    expect(digest.sha256).toBe(sha256(content))
    const expected = { ...digest, storedBytes: stored.length, storedSha256: sha256(stored) }
    const back = await buffer(decode(Readable.from([stored]), 'zstd', expected, { signal: never }))
    expect(back.equals(content)).toBe(true)
  } finally {
    await rm(directory, { recursive: true })
  }
})

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
