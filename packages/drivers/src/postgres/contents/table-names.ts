/** A table in SQL, whatever it is called. */
export function quotedTable({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${quoted(schema)}.${quoted(name)}`
}

/** A name in SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/**
 * How a table is called where rows are counted: `schema.table`, each part in quotes only if it must be. Unlike the
 * server's quote_ident it minds no reserved words, of which every version has others.
 */
export function tableKey(schema: string, name: string): string {
  return `${keyPart(schema)}.${keyPart(name)}`
}

function keyPart(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoted(name)
}

/** All large objects together. No table can have this key: it has no dot. */
export const LARGE_OBJECTS = 'large objects'
