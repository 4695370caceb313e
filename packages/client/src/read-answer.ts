import { HoldfastError } from './holdfast-error.ts'

/** Reads the JSON of a good answer; undefined for one without a body. Rejects with UNEXPECTED_ANSWER. */
export async function readJson<Answer>(response: Response): Promise<Answer> {
  const text = await response.text()
  try {
    // the checked boundary: the shapes of answers are the contract of the API, which its own tests enforce
    return (text === '' ? undefined : JSON.parse(text)) as Answer
  } catch (cause) {
    throw unexpected(response, 'is not JSON', cause)
  }
}

/** Turns an answer that is not a success into what it says. */
export async function toHoldfastError(response: Response): Promise<HoldfastError> {
  const text = await response.text().catch(() => '')
  const problem = parseProblem(text)
  if (problem === null) return unexpected(response, `has the status ${response.status} and no reason`)
  return new HoldfastError({
    code: problem.code,
    detail: problem.detail,
    hint: textOf(problem, 'hint'),
    status: response.status,
    requestId: textOf(problem, 'requestId') ?? response.headers.get('x-request-id'),
    retryAfterMs: retryAfterOf(response),
  })
}

/** True if nobody answered, or who answered cannot work now: the same request may succeed later. */
export function isOutage(error: HoldfastError): boolean {
  return error.code === 'UNREACHABLE' || [429, 502, 503, 504].includes(error.status ?? 0)
}

function retryAfterOf(response: Response): number | null {
  const seconds = Number.parseInt(response.headers.get('retry-after') ?? '', 10)
  return seconds >= 0 ? seconds * 1_000 : null
}

function parseProblem(text: string): { readonly code: string; readonly detail: string } | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const hasTexts =
    'code' in value && typeof value.code === 'string' && 'detail' in value && typeof value.detail === 'string'
  // the checked boundary: both fields have just been looked at
  return hasTexts ? (value as { code: string; detail: string }) : null
}

function textOf(value: object, name: string): string | null {
  const field: unknown = Reflect.get(value, name)
  return typeof field === 'string' ? field : null
}

function unexpected(response: Response, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError({
    code: 'UNEXPECTED_ANSWER',
    detail: `the answer ${why}`,
    hint: 'something other than Holdfast may be listening at this URL, or stand before it',
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    ...(cause === undefined ? {} : { cause }),
  })
}
