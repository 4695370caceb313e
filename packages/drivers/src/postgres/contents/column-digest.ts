import type { DigestMethod } from './contents-file.ts'
import { quoted } from './table-names.ts'

/** A column as far as its digest depends on it: equal in the source and in a restored copy, on any server. */
export interface Column {
  readonly name: string
  /** In pg_catalog; empty for domains, enums, composites, ranges and types of users. */
  readonly type: string
}

/** Types of which equal values are identical and whose hash depends on nothing but the value. */
const FAITHFUL: ReadonlySet<string> = new Set([
  ...['bool', 'bytea', 'char', 'date', 'inet', 'int2', 'int4', 'int8', 'macaddr', 'macaddr8', 'name', 'oid'],
  ...['time', 'timestamp', 'timestamptz', 'timetz', 'uuid'],
])

/** Types whose equal values may differ, such as 1.0 and 1.00, and whose text says it all; it is quick to make. */
const AS_TEXT: ReadonlySet<string> = new Set([
  'float4',
  'float8',
  'json',
  'jsonb',
  'numeric',
  'text',
  'varchar',
])

/** A row of SQL has at most 1664 fields, a table 1600 columns, of which some become two. */
const FIELDS_AT_ONCE = 800

/**
 * SQL for the hash of one row, a bigint. `record` needs PostgreSQL 14; `text` is what all versions can do, at half the
 * speed. Neither depends on numbers of objects, on the order of columns, on collations or on settings but those that
 * every session of ours pins.
 */
export function rowHash(columns: readonly Column[], method: DigestMethod): string {
  const fields = columns.flatMap(fieldsOf)
  if (fields.length === 0) return '0::bigint'
  const pieces: string[] = []
  for (let at = 0; at < fields.length; at += FIELDS_AT_ONCE) {
    pieces.push(`ROW(${fields.slice(at, at + FIELDS_AT_ONCE).join(', ')})`)
  }
  if (method === 'text') {
    return `hashtextextended((${pieces.map((piece) => `${piece}::text`).join(' || ')}) COLLATE "C", 0)`
  }
  const hashes = pieces.map((piece) => `hash_record_extended(${piece}, 0)`)
  const whole = hashes.length === 1 ? hashes.join() : `hash_record_extended(ROW(${hashes.join(', ')}), 0)`
  // the hash of a record is a sum over its fields: added up over all rows it would not see which belong together
  return `hashfloat8extended((${whole})::float8, 0)`
}

function fieldsOf({ name, type }: Column): readonly string[] {
  const column = quoted(name)
  if (FAITHFUL.has(type)) return [column]
  if (AS_TEXT.has(type)) return [`${column}::text COLLATE "C"`]
  switch (type) {
    case 'bpchar':
      // its hash ignores blanks at the end, and so does its text
      return [`${column} COLLATE "C"`, `octet_length(${column})`]
    case 'cidr':
      return [`${column}::inet`]
    case 'interval':
      return [`interval_send(${column})`]
    case 'money':
      return [`cash_send(${column})`]
    default:
      // what the type itself prints, where a cast to text could be anybody's; a composite of nulls is not null
      return [`CASE WHEN ${column} IS DISTINCT FROM NULL THEN format('%s', ${column}) COLLATE "C" END`]
  }
}

/** One value of every kind whose digest depends on what the server is built on: its processor, its version. */
const KNOWN: readonly (readonly [type: string, value: string])[] = [
  ...([
    ['bool', 'true'],
    ['bytea', '\\x00ff10'],
    ['char', 'a'],
    ['date', '2001-02-03'],
  ] as const),
  ...([
    ['inet', '192.0.2.1/24'],
    ['int2', '-2'],
    ['int4', '70000'],
    ['int8', '-5000000000'],
  ] as const),
  ...([
    ['macaddr', '08:00:2b:01:02:03'],
    ['macaddr8', '08:00:2b:01:02:03:04:05'],
    ['name', 'n'],
  ] as const),
  ...([
    ['oid', '4000000000'],
    ['time', '01:02:03.5'],
    ['timetz', '01:02:03+02'],
  ] as const),
  ...([
    ['timestamp', '2001-02-03 04:05'],
    ['timestamptz', '2001-02-03 04:05+00'],
  ] as const),
  ...([
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['float4', '0.1'],
    ['float8', '1e-300'],
  ] as const),
  ...([
    ['jsonb', '{"b": [1.0], "a": null}'],
    ['numeric', '1.10'],
    ['text', 'x'],
    ['bpchar', 'x '],
  ] as const),
  ...([
    ['cidr', '192.0.2.0/24'],
    ['interval', '1 mon 30 days'],
    ['money', '1.50'],
    ['', '[1,2)'],
  ] as const),
]

/** SQL for a digest of known values, and of the encoding: where it differs, so may digests of equal tables. */
export function probeQuery(method: DigestMethod): string {
  const columns = KNOWN.map(([type], index) => ({ name: `c${index}`, type }))
  const values = KNOWN.map(([type, value], index) => {
    const known = type === '' ? 'int4range' : type
    return `'${value}'::pg_catalog.${quoted(known)} AS ${quoted(`c${index}`)}`
  })
  return `SELECT getdatabaseencoding() || ':' || ${rowHash(columns, method)} AS probe
          FROM (SELECT ${values.join(', ')}) AS known`
}
