import type { ErrorCode } from '@holdfast/core'
import { ERROR_CODES } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { oneOf, orNull } from './fields.ts'
import { refTo } from './ref.ts'

/** RFC 9457: how every failure of the API looks. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'The code as a URN; docs/errors.md has a section for each' }),
    title: Type.String(),
    status: Type.Integer(),
    code: oneOf(ERROR_CODES),
    detail: Type.String(),
    hint: orNull(Type.String({ description: 'What to do about it' })),
    requestId: Type.String(),
  },
  { $id: 'Problem', additionalProperties: false },
)
export type Problem = Static<typeof Problem>

export const PROBLEM_TYPE = 'application/problem+json'

/** Goes into the `response` of every route, so that failures are documented and no field leaks. */
export const problemResponses = {
  '4xx': { description: 'Refused', content: { [PROBLEM_TYPE]: { schema: refTo(Problem) } } },
  '5xx': { description: 'Not possible now', content: { [PROBLEM_TYPE]: { schema: refTo(Problem) } } },
} as const

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Not usable',
  429: 'Too many requests',
  500: 'Internal error',
  502: 'Bad answer from below',
  503: 'Not available now',
  507: 'No space left',
}

/** Puts a problem together. */
export function problem(
  status: number,
  failure: { readonly code: ErrorCode; readonly detail: string; readonly hint: string | null },
  requestId: string,
): Problem {
  return {
    type: `urn:holdfast:problem:${failure.code.toLowerCase()}`,
    title: TITLES[status] ?? 'Refused',
    status,
    code: failure.code,
    detail: failure.detail,
    hint: failure.hint,
    requestId,
  }
}
