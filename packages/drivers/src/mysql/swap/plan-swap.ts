import { grantStatements } from '../schema/program-statements.ts'
import type { Program, TableObject } from '../schema/schema-objects.ts'
import { coming, isRoutine, leaving } from './compare-programs.ts'
import type { ArrivingPrograms, Exchange } from './exchange.ts'
import { missingKeysOf } from './missing-keys.ts'
import type { SchemaDefaults } from './own-schema.ts'
import type { Paths } from './plan-paths.ts'
import { defaultsToFix, pathsOf } from './plan-paths.ts'
import type { Action, CreateProgram, Move, Path, Step } from './steps.ts'

/**
 * The steps that exchange what a schema holds, each with its inverse. Programs that are the same before and after are
 * left alone, so that what was granted on them stays. Clients meet the old tables, no tables, or the new ones, and no
 * table without its triggers.
 */
export function planSwap(exchange: Exchange): readonly Step[] {
  const paths = pathsOf(exchange)
  const steps = [
    createSchema(exchange),
    dropOld(exchange, paths, 'remove the events', ({ kind }) => kind === 'event'),
    dropOld(exchange, paths, 'remove the views', ({ kind }) => kind === 'view'),
    // servers rename keys along with hidden tables
    letKeysGo(exchange, paths),
    hideOld(paths),
    dropOld(exchange, paths, 'remove the triggers', ({ kind }) => kind === 'trigger'),
    dropOld(exchange, paths, 'remove the routines', isRoutine),
    takeTriggersOff(exchange),
    rename(exchange, paths),
    setDefaults(exchange),
    createNew(exchange, paths, 'create the routines', isRoutine),
    fixSequences(exchange, paths),
    createNew(exchange, paths, 'create the triggers', ({ kind }) => kind === 'trigger'),
    showNew(paths),
    keepKeys(exchange, paths),
    createNew(exchange, paths, 'create the views', ({ kind }) => kind === 'view'),
    createNew(exchange, paths, 'create the events', ({ kind }) => kind === 'event'),
    noteReturn(exchange),
  ]
  return steps.filter(({ forward, backward }) => forward.length + backward.length > 0)
}

function createSchema({ live, departing, arriving }: Exchange): Step {
  const title = 'create the schema'
  if (departing !== null) return { title, forward: [], backward: [] }
  return {
    title,
    forward: [{ do: 'create-schema', schema: live, defaults: arriving.defaults }],
    backward: [{ do: 'drop-empty-schema', schema: live }],
  }
}

function dropOld(
  exchange: Exchange,
  paths: Paths,
  title: string,
  isWanted: (program: Program) => boolean,
): Step {
  const changed = leaving(exchange).filter(isWanted)
  return {
    title,
    forward: changed.toReversed().map((program) => dropIn(exchange.live, program)),
    backward: changed.map((program) => createOld(exchange, paths, program)),
  }
}

function createNew(
  exchange: Exchange,
  paths: Paths,
  title: string,
  isWanted: (program: Program) => boolean,
): Step {
  const changed = coming(exchange).filter(({ program }) => isWanted(program))
  return {
    title,
    forward: changed.map(({ program, given }) => createArriving(exchange, paths, program, given)),
    backward: changed.toReversed().map(({ program }) => dropIn(exchange.live, program)),
  }
}

/** Within a schema tables may have triggers when they are renamed, so that nobody writes to them without. */
function hideOld({ departing }: Paths): Step {
  const hidden = [...departing.values()].filter(({ places }) => places.length === 3)
  return {
    title: 'hide the tables that are replaced',
    forward: movesTo('end', hidden, 1),
    backward: movesTo('start', hidden, 0),
  }
}

/** No table with triggers goes from one schema to another. */
function takeTriggersOff({ source, arriving }: Exchange): Step {
  const { triggersInSource: triggers, programs, defaults } = arriving
  return {
    title: 'take the triggers off the restored tables',
    forward: triggers.map((trigger) => dropIn(source, trigger)),
    backward: triggers.map((program) => ({
      ...{ do: 'create', schema: source, program, from: programs.from, definer: programs.definer },
      path: null,
      schemaCollation: defaults.collation,
      grants: [],
      mayFail: false,
      unlessThere: true,
    })),
  } satisfies Step
}

function rename({ live }: Exchange, { departing, arriving }: Paths): Step {
  const [old, new_] = [[...departing.values()], [...arriving.values()]]
  const there = [
    ...old.map((path) => ({ path, to: path.places.length - 1 })),
    ...new_.map((path) => ({ path, to: 1 })),
  ]
  const back = [
    ...new_.map((path) => ({ path, to: 0 })),
    ...old.map((path) => ({ path, to: path.places.length - 2 })),
  ]
  const names = new_.flatMap(({ places }) => places[1]?.name ?? [])
  const isNothing = there.length === 0
  return {
    title: 'rename the tables',
    forward: [
      ...(isNothing ? [] : [{ do: 'move', towards: 'end', moves: there } as const]),
      { do: 'expect-tables', schema: live, names },
    ],
    backward: isNothing ? [] : [{ do: 'move', towards: 'start', moves: back }],
  }
}

/** They would stay on tables of the live schema, and take hold of what comes there. */
function letKeysGo({ live, aside, departing }: Exchange, paths: Paths): Step {
  const tables = departing?.tables ?? []
  return {
    title: 'take foreign keys on missing tables away',
    forward: keysTowards(aside, tables, paths.departing),
    backward: keysTowards(live, tables, paths.departing),
  }
}

/** Backward, too: a key would take hold of the table that comes back. */
function keepKeys({ live, source, arriving: { tables } }: Exchange, paths: Paths): Step {
  return {
    title: 'keep foreign keys on missing tables',
    forward: keysTowards(live, tables, paths.arriving),
    backward: keysTowards(source, tables, paths.arriving),
  }
}

function keysTowards(
  schema: string,
  tables: readonly TableObject[],
  paths: ReadonlyMap<string, Path>,
): readonly Action[] {
  const names = new Set(tables.map(({ name }) => name))
  return tables.flatMap((table): readonly Action[] => {
    const [path, keys] = [paths.get(table.name), missingKeysOf(table, names)]
    return path === undefined || keys.length === 0 ? [] : [{ do: 'set-keys', path, schema, keys }]
  })
}

function setDefaults({ live, departing, arriving: { defaults } }: Exchange): Step {
  const title = 'set the character set'
  if (departing === null) return { title, forward: [], backward: [] }
  const old = defaultsOf(departing)
  if (JSON.stringify(old) === JSON.stringify(defaultsOf(defaults)))
    return { title, forward: [], backward: [] }
  return {
    title,
    forward: [{ do: 'set-defaults', schema: live, defaults: defaultsOf(defaults) }],
    backward: [{ do: 'set-defaults', schema: live, defaults: old }],
  }
}

/** The old text names sequences where they were; backward it may stay, since it is right as soon as they are there. */
function fixSequences({ live, source, arriving: { tables } }: Exchange, { arriving }: Paths): Step {
  const forward = tables.flatMap((table): readonly Action[] => {
    const path = arriving.get(table.name)
    const columns = defaultsToFix(table, source, live)
    return path === undefined || columns.length === 0 ? [] : [{ do: 'set-default', path, columns }]
  })
  return { title: 'set the defaults that use sequences', forward, backward: [] }
}

function showNew({ arriving }: Paths): Step {
  const hidden = [...arriving.values()].filter(({ places }) => places.length === 3)
  return {
    title: 'show the restored tables',
    forward: movesTo('end', hidden, 2),
    backward: movesTo('start', hidden, 1),
  }
}

function noteReturn({ source, isReturn }: Exchange): Step {
  const title = 'note that it is back'
  if (!isReturn) return { title, forward: [], backward: [] }
  return {
    title,
    forward: [{ do: 'mark', schema: source, direction: 'back' }],
    backward: [{ do: 'mark', schema: source, direction: 'done' }],
  }
}

function movesTo(towards: 'end' | 'start', paths: readonly Path[], to: number): readonly Action[] {
  if (paths.length === 0) return []
  return [{ do: 'move', towards, moves: paths.map((path): Move => ({ path, to })) }]
}

function createOld(
  { live, departing, invalidViews }: Exchange,
  paths: Paths,
  program: Program,
): CreateProgram {
  return {
    ...{ do: 'create', schema: live, program, from: live, definer: 'keep' },
    path: paths.departing.get(program.table ?? '') ?? null,
    schemaCollation: departing?.collation ?? '',
    grants: grantStatements(program, live),
    mayFail: program.kind === 'view' && invalidViews.includes(program.name),
    unlessThere: true,
  }
}

function createArriving(
  { live, arriving }: Exchange,
  paths: Paths,
  program: Program,
  { from, definer }: Pick<ArrivingPrograms, 'from' | 'definer'>,
): CreateProgram {
  return {
    ...{ do: 'create', schema: live, program, from, definer },
    path: paths.arriving.get(program.table ?? '') ?? null,
    schemaCollation: arriving.defaults.collation,
    grants: grantStatements(program, live),
    mayFail: program.kind === 'view' && arriving.invalidViews.includes(program.name),
  }
}

function dropIn(schema: string, { kind, name }: Program): Action {
  return { do: 'drop', schema, program: { kind, name } }
}

function defaultsOf({ charset, collation, comment }: SchemaDefaults): SchemaDefaults {
  return { charset, collation, comment }
}
