import type { Session } from '../session.ts'
import type { Column } from './column-digest.ts'
import type { Relation } from './list-relations.ts'
import { isReadable } from './list-relations.ts'
import type { DumpedParts, TablePart } from './partition-tree.ts'
import { PartitionTree } from './partition-tree.ts'
import { tableKey } from './table-names.ts'

/** A table whose rows are counted together. */
export interface CountedTable {
  readonly key: string
  readonly columns: readonly Column[]
  /** What is scanned: nothing if its rows, or all of its partitions, are left out. */
  readonly parts: readonly TablePart[]
  /** What is locked, so that all of it stays what it is: itself and its partitions. */
  readonly members: readonly TablePart[]
  /** A materialised view: a restore computes its rows anew. */
  readonly derived: boolean
  readonly pages: number
  /** Rows by the statistics of the server. */
  readonly estimate: number
}

const WHOLE: DumpedParts = { isDumped: () => true, hasRows: () => true }

/**
 * What is counted of the relations in a dump: tables, partitioned ones at their root because a restore may put rows
 * into other partitions, those that inherit apart from one another, and materialised views that hold rows. Foreign
 * tables are elsewhere, and so are their rows.
 */
export async function listTables(
  session: Session,
  relations: readonly Relation[],
  { isDumped, hasRows }: DumpedParts = WHOLE,
): Promise<readonly CountedTable[]> {
  const isCounted = (relation: Relation) => isReadable(relation) && isDumped(relation)
  const tree = new PartitionTree(relations, { isDumped: isCounted, hasRows })
  const roots = tree.roots()
  const columns = await columnsOf(session, roots)
  return roots.map((root) => {
    const leaves = tree.leavesOf(root)
    return {
      key: tableKey(root.schema, root.name),
      columns: columns.get(root.oid) ?? [],
      parts: tree.partsOf(root),
      members: tree.membersOf(root),
      derived: root.kind === 'm',
      pages: leaves.reduce((sum, { pages }) => sum + pages, 0),
      // -1 where it was never counted
      estimate: leaves.reduce((sum, { estimate }) => sum + Math.max(0, Math.round(estimate)), 0),
    }
  })
}

/**
 * By table, in the order of their names: a restore may put them into another one. Types are known by name alone,
 * because they have other numbers in another database.
 */
const COLUMNS = `
  SELECT a.attrelid AS table, a.attname::text AS name,
         CASE WHEN n.nspname = 'pg_catalog' AND t.typtype = 'b' THEN t.typname::text ELSE '' END AS type
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
  ORDER BY a.attrelid, a.attname COLLATE "C"`

/** A column whose name cannot be said is in no digest, here and in a restored copy. */
const isNamed = ({ name }: { readonly name: string }) => !name.includes('\uFFFD')

async function columnsOf(
  session: Session,
  tables: readonly Relation[],
): Promise<ReadonlyMap<number, readonly Column[]>> {
  const rows = await session.query<{ table: number; name: string; type: string }>(COLUMNS, [
    tables.map(({ oid }) => oid),
  ])
  return Map.groupBy(rows.filter(isNamed), ({ table }) => table)
}
