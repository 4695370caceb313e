import { requalify } from '../schema/requalify.ts'
import type { TableObject } from '../schema/schema-objects.ts'
import type { Exchange } from './exchange.ts'
import type { ColumnDefault, Path } from './steps.ts'

/** By the names of the tables. */
export interface Paths {
  readonly departing: ReadonlyMap<string, Path>
  readonly arriving: ReadonlyMap<string, Path>
}

/** The ways of all tables. They are hidden where they would be without triggers or right defaults for a moment. */
export function pathsOf({ live, source, aside, hiddenPrefix, departing, arriving }: Exchange): Paths {
  const old = departing?.tables ?? []
  const hidesOld = (departing?.programs ?? []).some(({ kind }) => kind === 'trigger')
  const hidesNew =
    arriving.programs.programs.some(({ kind }) => kind === 'trigger') ||
    arriving.tables.some((table) => defaultsToFix(table, source, live).length > 0)
  // sequences stay in sight: defaults name them, and cannot be set otherwise
  const hide = (isHidden: boolean, { kind }: TableObject, name: string) =>
    isHidden && kind === 'table' ? [{ schema: live, name }] : []
  return {
    departing: new Map(
      old.map((table, number) => [
        table.name,
        {
          places: [
            { schema: live, name: table.name },
            ...hide(hidesOld, table, `${hiddenPrefix}o${number}`),
            { schema: aside, name: table.name },
          ],
          live: 0,
        },
      ]),
    ),
    arriving: new Map(
      arriving.tables.map((table, number) => [
        table.name,
        {
          places: [
            { schema: source, name: table.name },
            ...hide(hidesNew, table, `${hiddenPrefix}n${number}`),
            { schema: live, name: table.name },
          ],
          live: hidesNew && table.kind === 'table' ? 2 : 1,
        },
      ]),
    ),
  }
}

/** Defaults that name a sequence where it will no longer be. */
export function defaultsToFix(
  { sequenceDefaults }: TableObject,
  source: string,
  live: string,
): readonly ColumnDefault[] {
  return sequenceDefaults.flatMap(({ column, expression }) => {
    const fixed = requalify(expression, source, live)
    return fixed === expression ? [] : [{ column, expression: fixed }]
  })
}
