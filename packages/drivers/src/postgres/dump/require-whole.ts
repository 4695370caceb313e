import { AppError } from '@holdfast/core'
import type { Session } from '../session.ts'
import type { Selection } from './select-relations.ts'

/** How many are named; more are not even looked for. */
const MOST_NAMED = 5

/**
 * Objects in the dump that need objects which are not. Who needs is told by the table it belongs to, or by its schema;
 * a part of an extension needs nothing of the dump.
 */
const BROKEN = `
  WITH gone_relation AS (SELECT unnest($1::oid[]) AS oid),
  gone_schema AS (SELECT unnest($2::oid[]) AS oid),
  gone AS (
    SELECT 'pg_class'::regclass AS classid, c.oid AS objid FROM pg_class c
    WHERE c.oid IN (SELECT oid FROM gone_relation) OR c.relnamespace IN (SELECT oid FROM gone_schema)
    UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t
    WHERE t.typrelid IN (SELECT oid FROM gone_relation) OR t.typnamespace IN (SELECT oid FROM gone_schema)
       OR t.typelem IN (SELECT c.reltype FROM pg_class c WHERE c.reltype <> 0 AND c.oid IN (SELECT oid FROM gone_relation))
    UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace IN (SELECT oid FROM gone_schema)
    UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace IN (SELECT oid FROM gone_schema)
    UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation WHERE collnamespace IN (SELECT oid FROM gone_schema)
  ),
  needing AS (
    SELECT DISTINCT d.classid, d.objid, d.refclassid, d.refobjid,
      CASE d.classid
        WHEN 'pg_class'::regclass THEN coalesce((SELECT i.indrelid FROM pg_index i WHERE i.indexrelid = d.objid), d.objid)
        WHEN 'pg_rewrite'::regclass THEN (SELECT r.ev_class FROM pg_rewrite r WHERE r.oid = d.objid)
        WHEN 'pg_constraint'::regclass THEN (SELECT c.conrelid FROM pg_constraint c WHERE c.oid = d.objid)
        WHEN 'pg_attrdef'::regclass THEN (SELECT a.adrelid FROM pg_attrdef a WHERE a.oid = d.objid)
        WHEN 'pg_trigger'::regclass THEN (SELECT t.tgrelid FROM pg_trigger t WHERE t.oid = d.objid)
        WHEN 'pg_policy'::regclass THEN (SELECT p.polrelid FROM pg_policy p WHERE p.oid = d.objid)
      END AS relation,
      CASE d.classid
        WHEN 'pg_proc'::regclass THEN (SELECT p.pronamespace FROM pg_proc p WHERE p.oid = d.objid)
        WHEN 'pg_type'::regclass THEN (SELECT t.typnamespace FROM pg_type t WHERE t.oid = d.objid)
      END AS schema
    FROM pg_depend d JOIN gone ON gone.classid = d.refclassid AND gone.objid = d.refobjid
    WHERE d.deptype IN ('n', 'a')
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
  )
  SELECT DISTINCT pg_describe_object(classid, objid, 0) AS what, pg_describe_object(refclassid, refobjid, 0) AS needs
  FROM needing
  WHERE (relation <> 0 AND relation NOT IN (SELECT objid FROM gone WHERE gone.classid = 'pg_class'::regclass))
     OR (schema IS NOT NULL AND (classid, objid) NOT IN (SELECT classid, objid FROM gone))
  ORDER BY what, needs
  LIMIT ${MOST_NAMED}`

/** Rejects with INVALID_REQUEST if something is kept that could not be restored without what is left out. */
export async function requireWhole(session: Session, selection: Selection): Promise<void> {
  const { relationsLeftOut, schemasLeftOut } = selection
  if (relationsLeftOut.length === 0 && schemasLeftOut.length === 0) return
  const rows = await session.query<{ what: string; needs: string }>(BROKEN, [
    relationsLeftOut.map(({ oid }) => oid),
    schemasLeftOut.map(({ oid }) => oid),
  ])
  if (rows.length === 0) return
  const needs = rows.map((row) => `${row.what} needs ${row.needs}`)
  throw new AppError('INVALID_REQUEST', `the filter leaves out what is needed: ${needs.join('; ')}`, {
    hint: 'no such dump can be restored: leave out both or neither',
  })
}
