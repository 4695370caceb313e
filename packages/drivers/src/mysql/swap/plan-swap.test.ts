import assert from 'node:assert/strict'
import { describe, it } from 'vitest'
import type { Program, ProgramKind, TableObject } from '../schema/schema-objects.ts'
import type { Exchange } from './exchange.ts'
import { planSwap } from './plan-swap.ts'
import type { Action, Step } from './steps.ts'

describe('planSwap', () => {
  it('renames all tables in one statement, and does nothing else where there is nothing else', () => {
    const steps = planSwap(exchange({ old: [table('a'), table('b')], new: [table('a')] }))
    assert.deepEqual(titles(steps), ['rename the tables'])
    assert.deepEqual(places(steps[0]?.forward[0]), [
      ['live.a', 'aside.a'],
      ['live.b', 'aside.b'],
      ['shadow.a', 'live.a'],
    ])
  })

  it('goes back in the opposite order, so that names are free when they are needed', () => {
    const [step] = planSwap(exchange({ old: [table('a')], new: [table('a')] }))
    assert.deepEqual(places(step?.backward[0]), [
      ['shadow.a', 'live.a'],
      ['live.a', 'aside.a'],
    ])
  })

  it('hides tables with triggers on either side, and no sequences', () => {
    const trigger = program('trigger', 'tr', 'CREATE TRIGGER tr BEFORE INSERT ON a FOR EACH ROW DO 0', 'a')
    const steps = planSwap(
      exchange({
        old: [table('a'), table('s', 'sequence')],
        new: [table('a'), table('s', 'sequence')],
        oldPrograms: [trigger],
        newPrograms: [trigger],
      }),
    )
    assert.deepEqual(titles(steps), [
      'hide the tables that are replaced',
      'remove the triggers',
      'take the triggers off the restored tables',
      'rename the tables',
      'create the triggers',
      'show the restored tables',
    ])
    assert.deepEqual(places(steps[3]?.forward[0]), [
      ['live.a', 'live.hidden_o0', 'aside.a'],
      ['live.s', 'aside.s'],
      ['shadow.a', 'live.hidden_n0', 'live.a'],
      ['shadow.s', 'live.s'],
    ])
  })

  it('leaves routines and views alone that stay the same, whatever schema they were read from', () => {
    const same = [
      program('function', 'f', 'CREATE FUNCTION f() RETURNS INT RETURN 1'),
      program('view', 'v', 'CREATE VIEW `v` AS select `live`.`t`.`a` AS `a` from `live`.`t`'),
    ]
    const read = same.map((one) => ({ ...one, createSql: one.createSql.replaceAll('`live`', '`shadow`') }))
    const steps = planSwap(exchange({ oldPrograms: same, newPrograms: read }))
    assert.deepEqual(titles(steps), ['rename the tables'])
  })

  it('makes a body again whose package changes', () => {
    const body = program('package body', 'p', 'CREATE PACKAGE BODY p AS END')
    const steps = planSwap(
      exchange({
        oldPrograms: [program('package', 'p', 'CREATE PACKAGE p AS END'), body],
        newPrograms: [program('package', 'p', 'CREATE PACKAGE p AS PROCEDURE x; END'), body],
      }),
    )
    const created = steps.flatMap(({ forward }) => forward).filter((action) => action.do === 'create')
    assert.deepEqual(
      created.map((action) => action.program.kind),
      ['package', 'package body'],
    )
  })

  it('sets all defaults of a table that ask sequences at once', () => {
    const sequenceDefaults = ['s', 'u'].map((name) => ({
      column: name,
      expression: `nextval(\`shadow\`.\`${name}\`)`,
    }))
    const steps = planSwap(exchange({ new: [{ ...table('a'), sequenceDefaults }] }))
    const set = steps.flatMap(({ forward }) => forward).filter((action) => action.do === 'set-default')
    assert.deepEqual(
      set.map(({ columns }) => columns),
      [['s', 'u'].map((name) => ({ column: name, expression: `nextval(\`live\`.\`${name}\`)` }))],
    )
  })

  it.each([
    [[], ['CREATE PACKAGE BODY p AS END']],
    [['CREATE PACKAGE BODY p AS END'], []],
    [['CREATE PACKAGE BODY p AS END'], ['CREATE PACKAGE BODY p AS PROCEDURE x; END']],
  ])('makes a package again whose body changes from %j to %j', (old, new_) => {
    const withBody = (bodies: readonly string[]) => [
      program('package', 'p', 'CREATE PACKAGE p AS END'),
      ...bodies.map((body) => program('package body', 'p', body)),
    ]
    const steps = planSwap(exchange({ oldPrograms: withBody(old), newPrograms: withBody(new_) }))
    for (const path of ['forward', 'backward'] as const) {
      const created = steps.flatMap((step) => step[path]).filter((action) => action.do === 'create')
      const there = path === 'forward' ? new_ : old
      assert.deepEqual(
        created.map((action) => action.program.kind),
        ['package', ...there.map(() => 'package body')],
      )
    }
  })

  it('gives back what was granted on a routine of the same name, on the way there and back', () => {
    const grants = [{ account: '`a`@`%`', privileges: ['EXECUTE'], withGrantOption: false }]
    const old = { ...program('procedure', 'P', 'CREATE PROCEDURE P() SELECT 1'), grants }
    const steps = planSwap(
      exchange({
        oldPrograms: [old],
        newPrograms: [program('procedure', 'p', 'CREATE PROCEDURE p() SELECT 2')],
      }),
    )
    const created = steps.flatMap(({ forward, backward }) => [...forward, ...backward])
    const given = created.flatMap((action) => (action.do === 'create' ? action.grants : []))
    assert.deepEqual(given, [
      'GRANT EXECUTE ON PROCEDURE `live`.`P` TO `a`@`%`',
      'GRANT EXECUTE ON PROCEDURE `live`.`p` TO `a`@`%`',
    ])
  })

  it('has an inverse for whatever it creates and drops', () => {
    const kinds = ['function', 'procedure', 'view', 'event'] as const
    const all = (number: number) =>
      kinds.map((kind) => program(kind, kind, `CREATE ${kind} ${kind} AS ${number}`))
    const steps = planSwap({ ...exchange({ oldPrograms: all(1), newPrograms: all(2) }) })
    for (const { forward, backward, title } of steps) {
      assert.equal(count(forward, 'create'), count(backward, 'drop'), title)
      assert.equal(count(forward, 'drop'), count(backward, 'create'), title)
    }
    assert.equal(titles(steps).at(-1), 'create the events')
    assert.equal(titles(steps)[0], 'remove the events')
  })

  it('makes the schema where there is none, and removes it on the way back', () => {
    const steps = planSwap({ ...exchange({ new: [table('a')] }), departing: null })
    assert.deepEqual(titles(steps), ['create the schema', 'rename the tables'])
    assert.deepEqual(steps[0]?.backward, [{ do: 'drop-empty-schema', schema: 'live' }])
  })
})

interface Sides {
  readonly old?: readonly TableObject[]
  readonly new?: readonly TableObject[]
  readonly oldPrograms?: readonly Program[]
  readonly newPrograms?: readonly Program[]
}

function exchange({ old = [], new: new_ = [], oldPrograms = [], newPrograms = [] }: Sides): Exchange {
  const defaults = { charset: 'utf8mb4', collation: 'utf8mb4_bin', comment: '' }
  const programs = newPrograms.filter(({ kind }) => kind !== 'event')
  const events = newPrograms.filter(({ kind }) => kind === 'event')
  return {
    ...{ live: 'live', source: 'shadow', aside: 'aside', hiddenPrefix: 'hidden_', isReturn: false },
    departing: { ...defaults, tables: old, programs: oldPrograms },
    invalidViews: [],
    arriving: {
      ...{ defaults, tables: new_, invalidViews: [] },
      programs: { programs, from: 'shadow', definer: 'keep' },
      events: { programs: events, from: 'source', definer: 'keep' },
      triggersInSource: programs.filter(({ kind }) => kind === 'trigger'),
    },
  }
}

function table(name: string, kind: TableObject['kind'] = 'table'): TableObject {
  return {
    ...{ name, kind, engine: 'InnoDB', isTransactional: true, versioned: false, rowFormat: null },
    ...{ collation: null, createSql: '', columns: [], sequenceDefaults: [], estimatedRows: 0, sizeBytes: 0 },
  }
}

function program(kind: ProgramKind, name: string, createSql: string, onTable: string | null = null): Program {
  return {
    ...{ kind, name, createSql, encoding: 'utf8', definer: 'a@%', sqlMode: '', charset: 'utf8mb4' },
    ...{ collation: 'utf8mb4_bin', databaseCollation: null, timeZone: null, createdAt: null },
    ...{ table: onTable, orderedAfter: null, grants: [] },
  }
}

function titles(steps: readonly Step[]): readonly string[] {
  return steps.map(({ title }) => title)
}

function places(action: Action | undefined): readonly (readonly string[])[] {
  if (action?.do !== 'move') return assert.fail('it moves nothing')
  return action.moves.map(({ path }) => path.places.map(({ schema, name }) => `${schema}.${name}`))
}

function count(actions: readonly Action[], kind: Action['do']): number {
  return actions.filter((action) => action.do === kind).length
}
