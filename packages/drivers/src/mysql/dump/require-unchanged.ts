import { AppError } from '@holdfast/core'
import type { Program, SchemaObjects, TableObject } from '../schema/schema-objects.ts'
import { someOf } from './describe-names.ts'
import type { Source } from './describe-source.ts'
import { QUIETER } from './dump-failure.ts'

/**
 * Rejects with DATABASE_CHANGED, naming what, unless a dump has all tables and nothing but them, and no definition was
 * changed since it began: programs, and what a table is, are in no snapshot.
 */
export function requireUnchanged(source: Source, dumped: readonly string[], now: SchemaObjects): void {
  const changed = [
    ...otherTables(source, dumped),
    ...changedTables(source, now),
    ...changedPrograms(source, now),
  ]
  if (changed.length === 0) return
  const names = [...new Set(changed)]
  throw new AppError('DATABASE_CHANGED', `definitions were changed during the dump: ${someOf(names)}`, {
    hint: QUIETER,
  })
}

function otherTables({ tables, selection }: Source, dumped: readonly string[]): readonly string[] {
  const known = new Set(tables.map(({ name }) => name))
  const found = new Set(dumped)
  return [
    ...tables.flatMap(({ name }) => (found.has(name) ? [] : [`table ${name}`])),
    ...dumped.flatMap((name) => (known.has(name) || selection.leftOut.has(name) ? [] : [`table ${name}`])),
  ]
}

/** One that is gone by now is in the dump as it was. */
function changedTables({ tables }: Source, now: SchemaObjects): readonly string[] {
  const after = new Map(now.tables.map((table) => [table.name, definitionOf(table)]))
  return tables.flatMap((table) => {
    const definition = after.get(table.name)
    return definition === undefined || definition === definitionOf(table) ? [] : [`table ${table.name}`]
  })
}

/** Rows that come meanwhile count it up. */
function definitionOf({ createSql }: TableObject): string {
  return createSql.replace(/^(\).*?) AUTO_INCREMENT=\d+/m, '$1')
}

function changedPrograms({ programs, selection }: Source, now: SchemaObjects): readonly string[] {
  const isKept = ({ kind, name, table }: Program) =>
    !(kind === 'view' && selection.leftOut.has(name)) && !(table !== null && selection.leftOut.has(table))
  const before = new Map(programs.map((program) => [keyOf(program), textOf(program)]))
  const after = new Map(now.programs.filter(isKept).map((program) => [keyOf(program), textOf(program)]))
  return [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key))
}

function keyOf({ kind, name }: Program): string {
  return `${kind} ${name}`
}

function textOf({ createSql, definer, sqlMode, table, orderedAfter }: Program): string {
  return JSON.stringify([createSql, definer, sqlMode, table, orderedAfter])
}
