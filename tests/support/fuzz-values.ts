import fc from 'fast-check'

/** Values for properties of these names, so that requests fit together; undefined: leave it out. */
export type Hints = Readonly<Record<string, () => unknown>>

const TEXTS_OF_A_PATTERN = 100

/** Makes values that a JSON Schema allows; knows as much of JSON Schema as the API uses. */
export class SchemaValues {
  readonly #random: () => number
  readonly #seed: number
  readonly #hints: Hints
  readonly #texts = new Map<string, readonly string[]>()

  constructor(random: () => number, seed: number, hints: Hints) {
    this.#random = random
    this.#seed = seed
    this.#hints = hints
  }

  make(schema: unknown, name: string): unknown {
    if (!isObject(schema)) return null
    const hint = this.#hints[name]
    // now and then what merely fits, which is mostly about nothing
    if (hint && this.#random() < 0.9) return hint()
    if ('const' in schema) return schema.const
    if (Array.isArray(schema.enum)) return this.#one(schema.enum)
    if (Array.isArray(schema.anyOf)) return this.make(this.#one(schema.anyOf), name)
    switch (schema.type) {
      case 'object':
        return this.#object(schema)
      case 'array':
        return Array.from({ length: Math.floor(this.#random() * 3) }, () =>
          this.make(schema.items, `${name}[]`),
        )
      case 'string':
        return this.#text(schema)
      case 'integer':
        return Math.floor(this.#number(schema))
      case 'number':
        return this.#number(schema)
      case 'boolean':
        return this.#random() < 0.5
      default:
        return null
    }
  }

  #object(schema: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const properties = isObject(schema.properties) ? schema.properties : {}
    const required = Array.isArray(schema.required) ? schema.required : []
    const entries = Object.entries(properties)
      .filter(([name]) => required.includes(name) || this.#random() < 0.25)
      .map(([name, property]) => [name, this.make(property, name)] as const)
    const patterns = Object.entries(isObject(schema.patternProperties) ? schema.patternProperties : {})
    const more = patterns.map(
      ([pattern, property]) => [this.#matching(pattern), this.make(property, '')] as const,
    )
    return Object.fromEntries([...entries, ...more].filter(([, value]) => value !== undefined))
  }

  #text(schema: Readonly<Record<string, unknown>>): string {
    if (typeof schema.pattern === 'string') return this.#matching(schema.pattern)
    const most = typeof schema.maxLength === 'number' ? Math.min(schema.maxLength, 30) : 30
    return 'Tämä on teksti 文字 🗄 '.repeat(2).slice(0, Math.floor(this.#random() * most) + 1)
  }

  #number({ minimum, maximum }: Readonly<Record<string, unknown>>): number {
    const least = typeof minimum === 'number' ? minimum : 0
    const most = typeof maximum === 'number' ? maximum : least + 100
    return least + this.#random() * (most - least)
  }

  #matching(pattern: string): string {
    const known = this.#texts.get(pattern)
    if (known) return this.#one(known) ?? ''
    const options = { numRuns: TEXTS_OF_A_PATTERN, seed: this.#seed }
    this.#texts.set(pattern, fc.sample(fc.stringMatching(new RegExp(pattern)), options))
    return this.#matching(pattern)
  }

  #one<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }
}

const GARBAGE: readonly unknown[] = [
  null,
  true,
  -1,
  0.1,
  1e308,
  2 ** 53,
  '',
  ' ',
  '\0',
  'a\0b',
  'a\nb',
  '\ud800',
  '\u202e',
  '🗄',
  'latest',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  '%00',
  '%2e%2e%2f',
  '__proto__',
  'constructor',
  'toString',
  "'; drop table targets; --",
  '$(reboot)',
  '{{7*7}}',
  '<script>alert(1)</script>',
  'http://169.254.169.254/',
  'sqlite:///dev/zero',
  'sqlite:///proc/self/mem',
  '00000000-0000-7000-8000-000000000000',
  '1'.repeat(400),
  'a'.repeat(5_000),
  [],
  [[[[]]]],
  {},
  { a: { b: { c: {} } } },
  { constructor: { prototype: { polluted: true } } },
  JSON.parse('{"toJSON": 1, "then": 1, "length": -1}'),
]

/** Something that no field wants. */
export function garbageValue(random: () => number): unknown {
  return GARBAGE[Math.floor(random() * GARBAGE.length)]
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
