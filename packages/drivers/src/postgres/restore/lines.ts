import type { Readable } from 'node:stream'

/**
 * The lines of a text. Unlike those of node:readline they come to an end when the stream is destroyed, as that of a
 * tool is which is killed: then this rejects.
 */
export async function* linesOf(text: Readable): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of text.setEncoding('utf8')) {
    const lines = `${rest}${String(chunk)}`.split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
