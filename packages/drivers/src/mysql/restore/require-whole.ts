import { AppError } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { canDumpEvents } from '../dump/dump-arguments.ts'
import type { DumpShape } from './load-filter.ts'

/** Whether a dump holds all that its source had. Throws ARTIFACT_CORRUPT naming the first thing that is missing. */
export function requireWhole(
  shape: DumpShape,
  contents: Pick<Contents, 'schema' | 'tables' | 'programs'>,
): void {
  const table = contents.tables.find(({ name }) => !shape.tables.has(name))
  if (table !== undefined) throw missing(`${table.kind} ${table.name}`)
  const hasEvents = canDumpEvents(contents.schema, contents.programs)
  const expected = contents.programs.filter(({ kind }) => kind !== 'event' || hasEvents)
  const program = expected.find(({ kind, name }) => !shape.programs.has(`${kind} ${name}`))
  if (program !== undefined) throw missing(`${program.kind} ${program.name}`)
  const known = new Set(contents.tables.map(({ name }) => name))
  const strange = [...shape.tables].find((name) => !known.has(name))
  if (strange !== undefined) {
    throw new AppError('ARTIFACT_CORRUPT', `the dump holds a table that its source had not: ${strange}`)
  }
}

function missing(what: string): AppError {
  return new AppError('ARTIFACT_CORRUPT', `the dump is not whole: ${what} is missing`)
}
