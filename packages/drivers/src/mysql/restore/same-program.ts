import type { Program } from '../schema/schema-objects.ts'
import { dialectOf } from '../schema/sql-tokens.ts'
import { corrupt } from './corrupt-dump.ts'
import { asBytes, essenceOf } from './program-text.ts'

/**
 * Whether a statement of a dump makes the program that its source had: what holds several statements could hold one
 * that is no part of the program. Throws ARTIFACT_CORRUPT.
 */
export function requireSameProgram(text: string, program: Program): void {
  const dialect = dialectOf(program)
  const source = program.encoding === 'binary' ? program.createSql : asBytes(program.createSql)
  const body = text.replace(/;;\s*$/, '')
  if (essenceOf(body, dialect) === essenceOf(source, dialect)) return
  throw corrupt(`its ${program.kind} ${program.name} is not the one that its source had`)
}
