import type { DefinerChoice } from '../schema/program-statements.ts'
import type { Program, ProgramKind } from '../schema/schema-objects.ts'
import type { SchemaDefaults } from './own-schema.ts'

/** A table and the places that it comes through, of which one is its name in the live schema. */
export interface Path {
  readonly places: readonly Place[]
  /** Index of that place: it is there if it is nowhere else. */
  readonly live: number
}

export interface Place {
  readonly schema: string
  readonly name: string
}

/** A change that can be made again when it has been made, or half made, already. */
export type Action =
  | { readonly do: 'create-schema'; readonly schema: string; readonly defaults: SchemaDefaults }
  | { readonly do: 'drop-empty-schema'; readonly schema: string }
  | { readonly do: 'set-defaults'; readonly schema: string; readonly defaults: SchemaDefaults }
  | {
      readonly do: 'drop'
      readonly schema: string
      readonly program: { readonly kind: ProgramKind; readonly name: string }
    }
  | CreateProgram
  /** In one statement. A table that has come further already stays there. */
  | { readonly do: 'move'; readonly towards: 'end' | 'start'; readonly moves: readonly Move[] }
  /** In one statement: the server looks for what is named by every default of a table that it leaves as it is. */
  | { readonly do: 'set-default'; readonly path: Path; readonly columns: readonly ColumnDefault[] }
  /** Has keys refer to tables of `schema`, which are not there. */
  | {
      readonly do: 'set-keys'
      readonly path: Path
      readonly schema: string
      readonly keys: readonly MissingKey[]
    }
  /** Notes where the arriving tables came from whether they have left for good. */
  | { readonly do: 'mark'; readonly schema: string; readonly direction: 'done' | 'back' }
  /** Fails if somebody has made a table meanwhile. */
  | { readonly do: 'expect-tables'; readonly schema: string; readonly names: readonly string[] }

/** An expression in SQL. */
export interface ColumnDefault {
  readonly column: string
  readonly expression: string
}

/** A foreign key on a table that is missing. */
export interface MissingKey {
  readonly name: string
  /** In SQL, before the table that it is on. */
  readonly columns: string
  readonly table: string
  /** In SQL, behind that table. */
  readonly rest: string
}

export interface Move {
  readonly path: Path
  /** Index of the place that it is brought to. */
  readonly to: number
}

export interface CreateProgram {
  readonly do: 'create'
  readonly schema: string
  readonly program: Program
  /** The schema that its text was read from. */
  readonly from: string
  readonly definer: DefinerChoice
  /** Of triggers. */
  readonly path: Path | null
  readonly schemaCollation: string
  /** Privileges that dropping it has revoked, as statements. */
  readonly grants: readonly string[]
  /** It was of no use before: that it cannot be made again is nothing to stop for. */
  readonly mayFail: boolean
  /**
   * One of its name can only be it: the way back makes only what is missing, since what clients hold cannot be dropped.
   */
  readonly unlessThere?: boolean
}

/** Done or undone as a whole by whoever finds it begun; its actions backward are in the order in which they run. */
export interface Step {
  /** Completes `could not …`. */
  readonly title: string
  readonly forward: readonly Action[]
  readonly backward: readonly Action[]
}
