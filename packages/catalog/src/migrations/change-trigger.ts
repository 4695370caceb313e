import type { SchemaFacts } from '../sql/engine.ts'

/** Refuses every change of a column that is not one of the legal ones, each written as `from>to`. */
export function changeTrigger(
  schema: SchemaFacts,
  table: string,
  column: string,
  message: string,
  legal: readonly string[],
): string {
  const pairs = legal.map((pair) => `'${pair}'`).join(', ')
  return `create trigger ${table}_${column} before update of ${column} on ${table} for each row
    when (old.${column} <> new.${column} and old.${column} || '>' || new.${column} not in (${pairs}))
    ${schema.refusal(message)}`
}
