import { AppError } from '@holdfast/core'
import type { FastifyInstance } from 'fastify'

/** Bytes that a body may have. */
export const BODY_LIMIT_BYTES = 64 * 1024
/** Levels of objects and arrays: far more than any body of ours, far less than what hurts. */
const DEEPEST_LEVEL = 16

/** Accepts JSON and nothing else; an empty body counts as none. Refuses `__proto__` and deep nesting with 400. */
export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, text: string) => (text.trim() === '' ? undefined : parseJson(text)),
  )
}

function parseJson(text: string): unknown {
  if (depthOf(text) > DEEPEST_LEVEL) {
    throw new AppError('INVALID_REQUEST', `the body is nested more than ${DEEPEST_LEVEL} levels deep`)
  }
  let poisoned = false
  let value: unknown
  try {
    value = JSON.parse(text, (key, item: unknown) => {
      if (key === '__proto__') poisoned = true
      return item
    })
  } catch {
    // the parser's own message quotes the body, which may hold a secret
    throw new AppError('INVALID_REQUEST', 'the body is not valid JSON')
  }
  if (poisoned) throw new AppError('INVALID_REQUEST', "the body must not have a property '__proto__'")
  return value
}

/** How deep brackets nest outside strings; judged before parsing, so that nothing recurses into it. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]
    if (inString && char === '\\') index += 1
    else if (char === '"') inString = !inString
    else if (!inString && (char === '{' || char === '[')) deepest = Math.max(deepest, ++depth)
    else if (!inString && (char === '}' || char === ']')) depth -= 1
  }
  return deepest
}
