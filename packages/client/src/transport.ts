import { HoldfastError } from './holdfast-error.ts'
import { pause } from './pause.ts'
import { isOutage, readJson, toHoldfastError } from './read-answer.ts'

/** How to reach the service. */
export interface ClientOptions {
  /** Such as `http://127.0.0.1:8420`; a path before `/v1` is kept. */
  readonly url: string
  readonly apiKey: string
  /** Used instead of the built-in one. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** How long one answer may take, long polls apart; 30,000 by default. */
  readonly timeoutMs?: number | undefined
  /** How often a request that changes nothing is repeated when nobody answers; 2 by default. */
  readonly retries?: number | undefined
}

/** What any call may be given. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** What calls that ask for work may be given besides. */
export interface WorkOptions extends CallOptions {
  /** A repetition with the same key is the same request; with one, a call may be repeated by itself. */
  readonly idempotencyKey?: string | undefined
}

/** One request, before it has an address. */
export interface Call extends WorkOptions {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below the service's URL, with its parameters encoded. */
  readonly path: string
  readonly query?: object | undefined
  readonly body?: unknown
  /** On top of the client's own time, for answers that are meant to take long. */
  readonly extraMs?: number
  /** A status that is an answer too, although it is no success. */
  readonly alsoGood?: number
}

/** Speaks HTTP with one service, with one key. Every failure is a {@link HoldfastError}. */
export interface Transport {
  readonly url: string
  /** Resolves with the answer's JSON. The caller says what shape it has; the service guarantees it. */
  json<Answer>(call: Call): Promise<Answer>
  /** Resolves with the answer itself once its head is there; reading the body is the caller's. */
  stream(call: Call): Promise<Response>
}

const TIMEOUT_MS = 30_000
const RETRIES = 2
const FIRST_DELAY_MS = 250
/** Longer than this nobody wants to wait silently: the error says so instead. */
const LONGEST_DELAY_MS = 10_000

type Read<Result> = (response: Response) => Promise<Result>

/** Throws INVALID_CONFIGURATION if the options cannot be used, never repeating them. */
export function createTransport(options: ClientOptions): Transport {
  const base = requireUrl(options.url)
  const apiKey = requireKey(options.apiKey)
  const { timeoutMs = TIMEOUT_MS, retries = RETRIES } = options
  const fetchNow = options.fetch ?? globalThis.fetch

  async function once<Result>(call: Call, read: Read<Result>): Promise<Result> {
    const limitMs = timeoutMs + (call.extraMs ?? 0)
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), limitMs)
    const signal = call.signal ? AbortSignal.any([call.signal, late.signal]) : late.signal
    try {
      const response = await fetchNow(addressOf(base, call), { ...initOf(call, apiKey), signal })
      if (!response.ok && response.status !== call.alsoGood) throw await toHoldfastError(response)
      return await read(response)
    } catch (error) {
      call.signal?.throwIfAborted()
      if (error instanceof HoldfastError) throw error
      throw unreachable(base, late.signal.aborted ? `no answer within ${limitMs} ms` : reasonOf(error), error)
    } finally {
      clearTimeout(timer)
    }
  }

  async function persistently<Result>(call: Call, read: Read<Result>): Promise<Result> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await once(call, read)
      } catch (error) {
        const delayMs = attempt < retries && isRepeatable(call) ? delayBefore(attempt, error) : null
        if (delayMs === null) throw error
        await pause(delayMs, call.signal)
      }
    }
  }

  return {
    url: base,
    json: (call) => persistently(call, (response) => readJson(response)),
    stream: (call) => persistently(call, async (response) => response),
  }
}

/** Repeating it changes nothing that the first one has not changed. */
function isRepeatable(call: Call): boolean {
  return call.method === 'GET' || call.idempotencyKey !== undefined
}

/** Null if waiting does not help, or would take too long. */
function delayBefore(attempt: number, error: unknown): number | null {
  if (!(error instanceof HoldfastError) || !isOutage(error)) return null
  const delayMs = error.retryAfterMs ?? FIRST_DELAY_MS * 2 ** attempt
  return delayMs > LONGEST_DELAY_MS ? null : delayMs
}

function addressOf(base: string, { path, query = {} }: Call): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value))
  }
  return parameters.size === 0 ? `${base}${path}` : `${base}${path}?${parameters}`
}

function initOf({ method, body, idempotencyKey }: Call, apiKey: string): RequestInit {
  const headers = new Headers({ authorization: `Bearer ${apiKey}` })
  if (body !== undefined) headers.set('content-type', 'application/json')
  if (idempotencyKey !== undefined) headers.set('idempotency-key', requireIdempotencyKey(idempotencyKey))
  // a redirected POST would arrive as a GET, elsewhere perhaps: say so instead
  const init: RequestInit = { method, headers, redirect: 'manual' }
  return body === undefined ? init : { ...init, body: JSON.stringify(body) }
}

function requireUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw misconfigured('the URL of the service is not an http:// or https:// URL')
  }
  if (url.username !== '' || url.password !== '') {
    throw misconfigured('the URL of the service holds credentials', 'give the API key as such instead')
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

function requireKey(key: string): string {
  // fetch would quote a header that it refuses
  if (/^[\x21-\x7e]+$/.test(key)) return key
  throw misconfigured('the API key is empty or holds characters that no key has')
}

function requireIdempotencyKey(key: string): string {
  if (/^[\x20-\x7e]{1,200}$/.test(key)) return key
  throw new HoldfastError({
    code: 'INVALID_REQUEST',
    detail: 'an idempotency key is 1 to 200 printable ASCII characters',
  })
}

function misconfigured(detail: string, hint: string | null = null): HoldfastError {
  return new HoldfastError({ code: 'INVALID_CONFIGURATION', detail, hint })
}

function unreachable(base: string, why: string, cause: unknown): HoldfastError {
  return new HoldfastError({
    code: 'UNREACHABLE',
    detail: `could not reach the service at ${base}: ${why}`,
    hint: 'check the URL, and that the service runs',
    cause,
  })
}

/** fetch itself says only that it failed; what lies beneath says why. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (!(cause instanceof Error)) return 'unknown reason'
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
  return cause.message === '' ? code : cause.message
}
