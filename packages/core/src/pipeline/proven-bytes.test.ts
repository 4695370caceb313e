import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { ProvenBytes } from './proven-bytes.ts'

const PIECES = ['first piece, ', 'second piece, ', 'and the last']
const TEXT = PIECES.join('')
const EXPECTED = { sizeBytes: TEXT.length, sha256: createHash('sha256').update(TEXT).digest('hex') }

async function pass(pieces: readonly string[]): Promise<{ readonly text: string; readonly code: unknown }> {
  let text = ''
  const proven = new ProvenBytes(EXPECTED)
  const source = Readable.from(pieces.map((piece) => Buffer.from(piece)))
  try {
    await pipeline(source, proven, async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) text += String(chunk)
    })
    return { text, code: null }
  } catch (error) {
    return { text, code: Reflect.get(Object(error), 'code') }
  }
}

describe('ProvenBytes', () => {
  it('passes on what is as expected, in whatever pieces it comes', async () => {
    expect(await pass(PIECES)).toEqual({ text: TEXT, code: null })
    expect(await pass([...TEXT])).toEqual({ text: TEXT, code: null })
    expect(await pass([TEXT])).toEqual({ text: TEXT, code: null })
  })

  it.each([
    ['one bit is another', [...PIECES.slice(0, 2), 'and thE last']],
    ['the end is missing', PIECES.slice(0, 2)],
    ['something follows', [...PIECES, '!']],
    ['nothing is there', []],
  ])('fails before the whole has come out if %s', async (_what, pieces) => {
    const { text, code } = await pass(pieces)
    expect(code).toBe('ARTIFACT_CORRUPT')
    expect(text.length).toBeLessThan(TEXT.length)
  })
})
