import { createStatements } from '../schema/program-statements.ts'
import type { Program, RoutineGrant } from '../schema/schema-objects.ts'
import type { ArrivingPrograms, Exchange } from './exchange.ts'

/** Programs that go: all whose like does not come. Events go in any case: they must not run in between. */
export function leaving(exchange: Exchange): readonly Program[] {
  const same = unchanged(exchange)
  return (exchange.departing?.programs ?? []).filter((program) => !same.has(keyOf(program)))
}

/** A program that comes, with all privileges that it shall have. */
export interface Coming {
  readonly program: Program
  readonly given: ArrivingPrograms
}

/** Programs that come: all whose like was not there. */
export function coming(exchange: Exchange): readonly Coming[] {
  const same = unchanged(exchange)
  const old = new Map((exchange.departing?.programs ?? []).map((program) => [keyOf(program), program]))
  return allArriving(exchange)
    .filter(({ program }) => !same.has(keyOf(program)))
    .map(({ program, given }) => {
      // what was granted on one of another schema says nothing here
      const own = given.from === exchange.live ? program.grants : []
      return { program: { ...program, grants: merged(own, old.get(keyOf(program))?.grants ?? []) }, given }
    })
}

function merged(one: readonly RoutineGrant[], other: readonly RoutineGrant[]): readonly RoutineGrant[] {
  const known = new Set(one.map((grant) => JSON.stringify(grant)))
  return [...one, ...other.filter((grant) => !known.has(JSON.stringify(grant)))]
}

function allArriving({ arriving: { programs, events } }: Exchange): readonly Coming[] {
  return [programs, events].flatMap((given) => given.programs.map((program) => ({ program, given })))
}

/**
 * Keys of routines and views that are the same before and after. Dropping a package takes its body along, and no body
 * can be made without its package: they go and come together.
 */
function unchanged(exchange: Exchange): ReadonlySet<string> {
  const { departing, live } = exchange
  if (departing === null) return new Set()
  const own = { from: live, definer: 'keep' } as const
  const before = new Map(departing.programs.map((program) => [keyOf(program), textOf(program, live, own)]))
  const arriving = allArriving(exchange)
  const same = new Set(
    arriving
      .filter(({ program: { kind } }) => isRoutine({ kind }) || kind === 'view')
      .filter(({ program, given }) => before.get(keyOf(program)) === textOf(program, live, given))
      .map(({ program }) => keyOf(program)),
  )
  const known = new Set([...before.keys(), ...arriving.map(({ program }) => keyOf(program))])
  return new Set([...same].filter((key) => partsOf(key).every((part) => same.has(part) || !known.has(part))))
}

function textOf(
  program: Program,
  schema: string,
  { from, definer }: Pick<ArrivingPrograms, 'from' | 'definer'>,
): string {
  const statements = createStatements(program, { schema, from, definer })
  return JSON.stringify([statements, program.databaseCollation])
}

/** A package and its body, or a program alone. */
function partsOf(key: string): readonly string[] {
  const name = /^package (?:body )?(.*)$/s.exec(key)?.[1]
  return name === undefined ? [key] : [`package ${name}`, `package body ${name}`]
}

function keyOf({ kind, name }: Pick<Program, 'kind' | 'name'>): string {
  // names of routines know no case
  return `${kind} ${isRoutine({ kind }) ? name.toLowerCase() : name}`
}

/** True for what SQL calls: others are tables, or run by themselves. */
export function isRoutine({ kind }: Pick<Program, 'kind'>): boolean {
  return kind === 'function' || kind === 'procedure' || kind === 'package' || kind === 'package body'
}
