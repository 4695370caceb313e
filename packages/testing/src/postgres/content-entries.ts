import type { FingerprintEntry } from '../fingerprint-line.ts'
import { toFacts } from '../fingerprint-line.ts'
import type { CatalogSession } from './client.ts'

/** As many rows of a table are shown one by one, so that a difference can be read. */
const SHOWN_ROWS = 30
/** Of a longer row a hash is shown. */
const SHOWN_CHARACTERS = 300

/** The content of tables, sequences and large objects. */
export async function contentEntries(session: CatalogSession): Promise<readonly FingerprintEntry[]> {
  const entries: FingerprintEntry[] = []
  for (const [table, columns, only] of await session.rows(TABLE_QUERY)) {
    entries.push(await rowsEntry(session, table ?? '', `${only} ${table}`, columns ?? ''))
  }
  for (const [sequence] of await session.rows(SEQUENCE_QUERY)) {
    const [row = []] = await session.rows(`SELECT last_value, is_called FROM ${sequence}`)
    entries.push({ kind: 'value', name: sequence ?? '', facts: toFacts({ last: row[0], isCalled: row[1] }) })
  }
  for (const [oid, size, hash] of await session.rows(LARGE_OBJECT_QUERY)) {
    entries.push({ kind: 'large object', name: oid ?? '', facts: toFacts({ sizeBytes: size, hash }) })
  }
  return entries
}

/** Columns by name: a restore may order them otherwise in children. Partitions count as their root. */
const TABLE_QUERY = `
  SELECT format('%I.%I', n.nspname, c.relname),
    (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE "C") FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    CASE c.relkind WHEN 'r' THEN 'ONLY' ELSE '' END
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid >= 16384 AND (c.relkind IN ('r', 'p') OR (c.relkind = 'm' AND c.relispopulated))
    AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname <> 'information_schema'`

const SEQUENCE_QUERY = `
  SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'S' AND c.relpersistence <> 't'`

const LARGE_OBJECT_QUERY = `
  SELECT m.oid, length(o.content), md5(o.content)
  FROM pg_catalog.pg_largeobject_metadata m, LATERAL (SELECT lo_get(m.oid) AS content) o`

async function rowsEntry(
  session: CatalogSession,
  name: string,
  from: string,
  columns: string,
): Promise<FingerprintEntry> {
  const rows = `SELECT ROW(${columns})::text AS r FROM ${from}`
  const hashes = [0, 1].map((seed) => `coalesce(sum(hashtextextended(r COLLATE "C", ${seed})::numeric), 0)`)
  const [[count = '0', one, other] = []] = await session.rows(
    `SELECT count(*), ${hashes.join(', ')} FROM (${rows}) x`,
  )
  const shown = Number(count) > SHOWN_ROWS ? [] : await session.rows(shownRows(rows))
  const list = shown.map(([row], index) => [`row ${index + 1}`, row] as const)
  return {
    kind: 'rows',
    name,
    facts: {
      ...toFacts({ count, hash: `${one} ${other}` }),
      ...Object.fromEntries(list.map(([key, row]) => [key, row ?? ''])),
    },
  }
}

function shownRows(rows: string): string {
  return `SELECT CASE WHEN length(r) > ${SHOWN_CHARACTERS} THEN format('%s characters, md5 %s', length(r), md5(r)) ELSE r END
    FROM (${rows}) x ORDER BY r COLLATE "C"`
}
