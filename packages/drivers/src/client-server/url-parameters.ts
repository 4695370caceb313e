import { isAbsolute } from 'node:path'
import { AppError } from '@holdfast/core'

const AUTHORITY_HINT =
  'name the file of the certificate authority; the system has its own in a file such as /etc/ssl/certs/ca-certificates.crt'

/** The parameters of a URL, each known by name and given once at most. */
export class UrlParameters<Name extends string> {
  readonly #product: string
  readonly #names: readonly Name[]
  readonly #given: ReadonlyMap<Name, string>

  /** Throws INVALID_CONNECTION naming the parameter that is unknown, empty, doubled or badly encoded. */
  constructor(query: string, names: readonly Name[], product: string) {
    this.#product = product
    this.#names = names
    this.#given = this.#read(query)
  }

  text(name: Name): string | null {
    return this.#given.get(name) ?? null
  }

  /** An absolute path. */
  path(name: Name): string | null {
    const path = this.text(name)
    if (path !== null && !isAbsolute(path)) throw this.invalid(name, 'is not an absolute path')
    return path
  }

  choice<Choice extends string>(name: Name, choices: readonly Choice[], fallback: Choice): Choice {
    const text = this.text(name)
    if (text === null) return fallback
    const chosen = choices.find((known) => known === text)
    if (chosen === undefined) throw this.invalid(name, `is none of ${choices.join(', ')}`)
    return chosen
  }

  number(name: Name, fallback: number, [least, most]: readonly [number, number]): number {
    const text = this.text(name)
    if (text === null) return fallback
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    throw this.invalid(name, `is not a whole number from ${least} to ${most}`)
  }

  invalid(name: Name, problem: string): AppError {
    const message = `the parameter ${name} of the ${this.#product} URL ${problem}`
    const hint = `${name} ${problem}`.includes('sslrootcert') ? AUTHORITY_HINT : this.#hint()
    return new AppError('INVALID_CONNECTION', message, { hint })
  }

  #read(query: string): ReadonlyMap<Name, string> {
    const pairs = new Map<Name, string>()
    for (const pair of query.split('&').filter((text) => text !== '')) {
      const equals = pair.indexOf('=')
      const asked = equals < 0 ? pair : pair.slice(0, equals)
      const name = this.#names.find((known) => known === asked)
      if (name === undefined) throw this.#unknown(asked)
      if (pairs.has(name)) throw this.invalid(name, 'is given twice')
      const value = equals < 0 ? '' : this.#decode(pair.slice(equals + 1), name)
      if (value === '') throw this.invalid(name, 'is empty')
      pairs.set(name, value)
    }
    return pairs
  }

  #decode(encoded: string, name: Name): string {
    const value = decoded(encoded)
    if (value === null) throw this.invalid(name, 'holds a percent sign that does not encode UTF-8')
    if (value.includes('\0')) throw this.invalid(name, 'holds a NUL')
    return value
  }

  #unknown(name: string): AppError {
    // what does not look like a name could be a piece of a password with a '?' in it
    const shown = /^[a-z_]{1,40}$/.test(name) ? ` ${name}` : ''
    const message = `the ${this.#product} URL has an unknown parameter${shown}`
    return new AppError('INVALID_CONNECTION', message, { hint: this.#hint() })
  }

  #hint(): string {
    return `known parameters: ${this.#names.join(', ')}`
  }
}

/** The inverse: `?name=value&…` of the pairs that have a value, empty if there is none. */
export function formatParameters(pairs: readonly (readonly [string, string | number | null])[]): string {
  const said = pairs.flatMap(([name, value]) =>
    value === null ? [] : [`${name}=${encodeURIComponent(value)}`],
  )
  return said.length === 0 ? '' : `?${said.join('&')}`
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
