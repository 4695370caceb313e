const DEEPEST = 64

/**
 * JSON text of which there is only one for a value: keys sorted by their UTF-16 units, no white space. It is what is
 * signed and what deduplication compares. Throws a TypeError for what JSON cannot say exactly (undefined,
 * functions, bigints, NaN, infinities) and for nesting deeper than 64.
 */
export function canonicalJson(value: unknown): string {
  return render(value, 0)
}

function render(value: unknown, depth: number): string {
  if (depth > DEEPEST) throw new TypeError(`nested deeper than ${DEEPEST}`)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  // Array.from visits holes too
  if (Array.isArray(value))
    return `[${Array.from(value, (item: unknown) => render(item, depth + 1)).join(',')}]`
  if (!isPlainObject(value)) throw new TypeError(`no canonical JSON for ${describe(value)}`)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${render(value[key], depth + 1)}`)
  return `{${members.join(',')}}`
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value
}
