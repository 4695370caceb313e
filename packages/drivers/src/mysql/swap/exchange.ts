import type { DefinerChoice } from '../schema/program-statements.ts'
import type { Program, SchemaObjects, TableObject } from '../schema/schema-objects.ts'
import type { SchemaDefaults } from './own-schema.ts'

/** Programs that arrive, with where their text comes from. */
export interface ArrivingPrograms {
  readonly programs: readonly Program[]
  /** The schema whose name is in their text as their own. */
  readonly from: string
  readonly definer: DefinerChoice
}

/** All that an exchange begins with. */
export interface Exchange {
  readonly live: string
  /** Where the arriving tables are. */
  readonly source: string
  /** Whether that has a journal, in which is to be noted that they are back. */
  readonly isReturn: boolean
  /** Where the departing ones go. */
  readonly aside: string
  /** Unlike any name in the live schema; hidden tables begin with it. */
  readonly hiddenPrefix: string
  /** Null if there is no such schema yet. */
  readonly departing: SchemaObjects | null
  /** Views that the server cannot open. */
  readonly invalidViews: readonly string[]
  readonly arriving: {
    readonly defaults: SchemaDefaults
    readonly tables: readonly TableObject[]
    /** Everything but events. */
    readonly programs: ArrivingPrograms
    readonly events: ArrivingPrograms
    /** Triggers that hang on the arriving tables now, in `source`: those of `programs`, or none. */
    readonly triggersInSource: readonly Program[]
    readonly invalidViews: readonly string[]
  }
}
