import type { Program } from './schema-objects.ts'
import { dialectOf, nameOf, tokensOf } from './sql-tokens.ts'

/** An order in which views can be created: each after those that its text mentions. Other programs are left out. */
export function orderViews(programs: readonly Program[]): readonly Program[] {
  const views = new Map(programs.filter(({ kind }) => kind === 'view').map((view) => [view.name, view]))
  const ordered = new Set<Program>()
  const begun = new Set<Program>()
  const add = (view: Program): void => {
    if (begun.has(view)) return
    begun.add(view)
    for (const name of namesIn(view)) {
      const other = views.get(name)
      if (other !== undefined) add(other)
    }
    ordered.add(view)
  }
  for (const view of views.values()) add(view)
  return [...ordered]
}

function namesIn(view: Program): ReadonlySet<string> {
  const names = new Set<string>()
  const dialect = dialectOf(view)
  for (const token of tokensOf(view.createSql, dialect)) {
    if (token.kind === 'name') names.add(nameOf(token, dialect))
  }
  return names
}
