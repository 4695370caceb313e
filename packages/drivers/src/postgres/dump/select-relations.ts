import type { DumpFilter } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Relation } from '../contents/list-relations.ts'
import type { FilterPattern } from './filter-patterns.ts'
import { readPattern } from './filter-patterns.ts'
import type { Schema } from './list-schemas.ts'

/** What a dump takes of a database. */
export interface Selection {
  /** Schemas that are not there at all. */
  readonly schemasLeftOut: readonly Schema[]
  /** Tables and the like that are not there although their schema is. */
  readonly relationsLeftOut: readonly Relation[]
  readonly isDumped: (relation: Relation) => boolean
  /** Patterns that exclude nothing. */
  readonly idle: readonly string[]
}

/** Everything. */
export const EVERYTHING: Selection = {
  schemasLeftOut: [],
  relationsLeftOut: [],
  isDumped: () => true,
  idle: [],
}

/**
 * What a filter makes of a database. Partitions go with their table, and sequences with the column that they belong
 * to. Rejects by throwing INVALID_REQUEST if a pattern includes nothing: that is not what was asked for.
 */
export function selectRelations(
  filter: DumpFilter,
  schemas: readonly Schema[],
  relations: readonly Relation[],
): Selection {
  const include = filter.include.map(readPattern)
  const exclude = filter.exclude.map(readPattern)
  const isIdle = (pattern: FilterPattern) => matchesNothing(pattern, schemas, relations)
  requireMatches(include.filter(isIdle))

  const choice = new Choice(include, exclude, relations)
  const dumped = new Set(relations.filter((relation) => choice.takes(relation)).map(({ oid }) => oid))
  const inhabited = new Set(relations.filter(({ oid }) => dumped.has(oid)).map(({ schema }) => schema))
  const isTaken = ({ name }: Schema) => inhabited.has(name) || choice.takesSchema(name)
  const kept = new Set(
    schemas.filter((schema) => schema.hostsExtension || isTaken(schema)).map(({ name }) => name),
  )
  if (!schemas.some(isTaken)) {
    throw new AppError('INVALID_REQUEST', 'the filter leaves nothing of the database', {
      hint: "change 'include' and 'exclude'",
    })
  }
  return {
    schemasLeftOut: schemas.filter(({ name }) => !kept.has(name)),
    relationsLeftOut: relations.filter(({ oid, schema }) => kept.has(schema) && !dumped.has(oid)),
    isDumped: ({ oid }) => dumped.has(oid),
    idle: exclude.filter(isIdle).map(({ text }) => text),
  }
}

class Choice {
  readonly #include: readonly FilterPattern[]
  readonly #exclude: readonly FilterPattern[]
  readonly #byOid: ReadonlyMap<number, Relation>

  constructor(
    include: readonly FilterPattern[],
    exclude: readonly FilterPattern[],
    relations: readonly Relation[],
  ) {
    this.#include = include
    this.#exclude = exclude
    this.#byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  }

  takesSchema(schema: string): boolean {
    const matches = ({ matchesSchema, matchesTable }: FilterPattern) =>
      matchesTable === null && matchesSchema(schema)
    const isIncluded = this.#include.length === 0 || this.#include.some(matches)
    return isIncluded && !this.#exclude.some(matches)
  }

  takes(relation: Relation): boolean {
    return (
      (this.#include.length === 0 || this.#isIn(this.#include, relation)) &&
      !this.#isIn(this.#exclude, relation)
    )
  }

  #isIn(patterns: readonly FilterPattern[], relation: Relation): boolean {
    if (patterns.some((pattern) => matchesRelation(pattern, relation))) return true
    const above = this.#byOid.get(relation.parent ?? relation.owner ?? 0)
    return above !== undefined && this.#isIn(patterns, above)
  }
}

function matchesRelation(
  { matchesSchema, matchesTable }: FilterPattern,
  { schema, name }: Relation,
): boolean {
  return matchesSchema(schema) && (matchesTable === null || matchesTable(name))
}

function matchesNothing(
  pattern: FilterPattern,
  schemas: readonly Schema[],
  relations: readonly Relation[],
): boolean {
  if (pattern.matchesTable === null) return !schemas.some(({ name }) => pattern.matchesSchema(name))
  return !relations.some((relation) => matchesRelation(pattern, relation))
}

function requireMatches(idle: readonly FilterPattern[]): void {
  if (idle.length === 0) return
  const shown = idle.map(({ text }) => text.slice(0, 100)).slice(0, 5)
  throw new AppError(
    'INVALID_REQUEST',
    `the filter includes ${shown.join(', ')}, which the database does not have`,
    {
      hint: 'names are compared to the letter: write them as the database has them',
    },
  )
}
