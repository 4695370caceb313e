import type { SchemaFacts } from '../sql/engine.ts'

/** One numbered step of the schema. Once released it never changes. */
export interface Migration {
  readonly version: number
  readonly name: string
  statements(schema: SchemaFacts): readonly string[]
}
