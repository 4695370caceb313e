import { garbageValue, isObject, SchemaValues } from './fuzz-values.ts'

/** The parts of an OpenAPI document that requests are made from. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiCall>>>>
}

interface ApiCall {
  readonly operationId: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: object
  }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
}

/** A request as it goes over the wire. */
export interface FuzzRequest {
  readonly operationId: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** What exists, so that requests can be about something. */
export interface Pools {
  readonly targets: string[]
  readonly backups: string[]
  readonly operations: string[]
  /** Operations that have replaced something. */
  readonly restores: string[]
  readonly keys: string[]
}

/** How often a call is taken when its turn comes; work takes a worker far longer than it takes to ask. */
const WEIGHTS: Readonly<Record<string, number>> = {
  requestBackup: 0.5,
  verifyBackup: 0.25,
  restoreBackup: 0.4,
  undoRestore: 0.4,
  applyRetention: 0.2,
  deleteBackup: 0.1,
  removeTarget: 0.2,
  watchOperations: 0.3,
}

const WAYS_TO_BREAK = [
  'field',
  'field',
  'unknown field',
  'missing field',
  'text',
  'nesting',
  'size',
  'type',
  'key',
  'method',
  'path',
  'path',
  'query',
  'query',
  'header',
] as const

/** Makes requests from the service's own description: about half of them as they should be, the others broken. */
export class RequestMaker {
  readonly #calls: readonly { readonly method: string; readonly path: string; readonly call: ApiCall }[]
  readonly #random: () => number
  readonly #values: SchemaValues
  readonly #pools: Pools
  readonly #apiKey: string
  #count = 0

  constructor(options: {
    readonly document: ApiDocument
    readonly random: () => number
    readonly seed: number
    readonly pools: Pools
    readonly apiKey: string
    readonly directory: string
  }) {
    const { document, random, seed, pools, apiKey, directory } = options
    this.#calls = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, call]) => ({ method: method.toUpperCase(), path, call })),
    )
    this.#random = random
    this.#pools = pools
    this.#apiKey = apiKey
    const oneOf = (items: readonly string[]) => items[Math.floor(random() * items.length)] ?? 'none'
    this.#values = new SchemaValues(random, seed, {
      target: () => oneOf(pools.targets),
      url: () => `sqlite://${directory}/fuzz-${Math.floor(random() * 12)}.db`,
      storage: () => 'default',
      include: () => [`${directory}/included`],
      filesInto: () => `${directory}/restored-${this.#count}`,
      confirm: () => oneOf(pools.targets),
      backupId: () => oneOf(pools.backups),
      wait: () => random() / 5,
      name: () => `fuzz-${this.#count}`,
      cursor: () => undefined,
    })
  }

  next(): FuzzRequest {
    this.#count += 1
    const { method, path, call } = this.#pickCall()
    const request = this.#wellFormed(method, path, call)
    return this.#random() < 0.5 ? request : this.#break(request)
  }

  #pickCall() {
    for (;;) {
      const picked = this.#one(this.#calls)
      if (picked && this.#random() < (WEIGHTS[picked.call.operationId] ?? 1)) return picked
    }
  }

  #wellFormed(method: string, template: string, call: ApiCall): FuzzRequest {
    const parameters = call.parameters ?? []
    const isWanted = (required: boolean | undefined) => required === true || this.#random() < 0.3
    const query = parameters
      .filter((parameter) => parameter.in === 'query' && isWanted(parameter.required))
      .map(({ name, schema }) => [name, this.#values.make(schema, name)] as const)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    const path = template.replaceAll(/\{(\w+)\}/g, () => this.#subject(template))
    const schema = call.requestBody?.content['application/json']?.schema
    const body = schema === undefined ? undefined : JSON.stringify(this.#values.make(schema, 'body'))
    return {
      operationId: call.operationId,
      method,
      path: query.length === 0 ? path : `${path}?${query.join('&')}`,
      headers: {
        authorization: `Bearer ${this.#apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.#random() < 0.1 ? { 'idempotency-key': `key ${Math.floor(this.#random() * 50)}` } : {}),
      },
      body,
    }
  }

  #subject(template: string): string {
    const { targets, backups, operations, restores, keys } = this.#pools
    if (template.startsWith('/v1/targets')) return this.#one(targets) ?? 'none'
    if (template.startsWith('/v1/backups')) return this.#one(backups) ?? 'none'
    if (template.startsWith('/v1/keys')) return this.#one(keys) ?? 'none'
    // all but the newest have come to their end, which is refused
    if (template.endsWith('/cancel') && this.#random() < 0.5) return operations.at(-1) ?? 'none'
    const undoable = template.endsWith('/undo') ? this.#one(restores) : undefined
    return undoable ?? this.#one(operations) ?? '00000000-0000-7000-8000-000000000000'
  }

  #break(request: FuzzRequest): FuzzRequest {
    const garbage = garbageValue(this.#random)
    const { method, path, headers } = request
    switch (this.#one(WAYS_TO_BREAK)) {
      case 'field':
        return { ...request, body: this.#breakField(request.body, garbage) }
      case 'unknown field':
        return {
          ...request,
          body: JSON.stringify({ ...parsed(request.body), [String(garbage).slice(0, 50)]: garbage }),
        }
      case 'missing field':
        return {
          ...request,
          body: JSON.stringify(Object.fromEntries(Object.entries(parsed(request.body)).slice(1))),
        }
      case 'text':
        return { ...request, body: (request.body ?? '{"a":1}').slice(0, -1 - Math.floor(this.#random() * 5)) }
      case 'nesting': {
        const levels = Math.floor(this.#random() * 20_000)
        return { ...request, body: `${'[{"a":'.repeat(levels)}1${'}]'.repeat(levels)}` }
      }
      case 'size':
        return { ...request, body: JSON.stringify({ ...parsed(request.body), note: 'x'.repeat(80_000) }) }
      case 'type':
        return { ...request, headers: { ...headers, 'content-type': this.#one(CONTENT_TYPES) ?? '' } }
      case 'key':
        return { ...request, headers: { ...headers, authorization: this.#one(CREDENTIALS) ?? '' } }
      case 'method':
        return { ...request, method: this.#one(METHODS) ?? method }
      case 'path':
        return { ...request, path: path.replace(/[^/?]+(?=\?|$)/, () => encode(garbage)) }
      case 'query':
        return {
          ...request,
          path: `${path}${path.includes('?') ? '&' : '?'}${encode(garbage)}=${encode(garbage)}`,
        }
      default:
        return { ...request, headers: { ...headers, [this.#one(HEADERS) ?? 'x']: headerValue(garbage) } }
    }
  }

  #breakField(body: string | undefined, garbage: unknown): string {
    const value = parsed(body)
    const name = this.#one(Object.keys(value))
    return JSON.stringify(name === undefined ? garbage : { ...value, [name]: garbage })
  }

  #one<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']
const CONTENT_TYPES = [
  'text/plain',
  'application/xml',
  'application/json; charset=utf-16',
  'a/b; c="',
  'json',
  '\x80',
]
const CREDENTIALS = [
  '',
  'Bearer',
  'Bearer x',
  'Basic Og==',
  'Basic ====',
  `Bearer ${'x'.repeat(4_000)}`,
  'Digest a="b"',
]
const HEADERS = [
  'idempotency-key',
  'last-event-id',
  'accept',
  'expect',
  'origin',
  'sec-fetch-site',
  'x-request-id',
  'x-forwarded-for',
  'range',
  'if-none-match',
]

function parsed(body: string | undefined): Readonly<Record<string, unknown>> {
  const value: unknown = body === undefined ? {} : JSON.parse(body)
  return isObject(value) ? value : {}
}

/** Percent-encoded, unless it cannot be: then as broken as it is. */
function encode(value: unknown): string {
  try {
    return encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 6_000)
  } catch {
    return '%zz%c3%28'
  }
}

function headerValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  // what Node itself would refuse to send
  return text.replaceAll(/[^\x20-\x7e\x80-\xff]/g, '?').slice(0, 6_000)
}
