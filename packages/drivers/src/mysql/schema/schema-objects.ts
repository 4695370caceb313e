/** What a schema holds beside its rows: everything that a copy of it must have, too. */
export interface SchemaObjects {
  /** Defaults of the schema for new tables and programs. */
  readonly charset: string
  readonly collation: string
  /** Empty where there is none, and where the server knows none. */
  readonly comment: string
  readonly tables: readonly TableObject[]
  /** In an order in which they can be created: see {@link Program.orderedAfter} for triggers. */
  readonly programs: readonly Program[]
}

export interface ColumnObject {
  readonly name: string
  /** Like information_schema: `varchar`, `bigint`, `float`. */
  readonly dataType: string
  /** In full: `varchar(20)`, `float(7,3)`, `bigint(20) unsigned`. */
  readonly columnType: string
  readonly isNullable: boolean
  /** Computed from other columns; no dump holds it. */
  readonly isGenerated: boolean
  /** The beginning or end of a row's period in a versioned table, the hidden columns of such tables included. */
  readonly isPeriod: boolean
}

/** A default that names a sequence, and so a schema. */
export interface SequenceDefault {
  readonly column: string
  /** As the server prints it: ``nextval(`shop`.`orders_seq`)``. */
  readonly expression: string
}

/** A table with rows of its own, or a sequence. */
export interface TableObject {
  readonly name: string
  readonly kind: 'table' | 'sequence'
  /** Null if the server cannot open it. */
  readonly engine: string | null
  /** False: it is outside of every snapshot. */
  readonly isTransactional: boolean
  /** Keeps the history of its rows (MariaDB). */
  readonly versioned: boolean
  readonly rowFormat: string | null
  readonly collation: string | null
  /** What SHOW CREATE prints; each character is one byte where that is no UTF-8. */
  readonly createSql: string
  readonly columns: readonly ColumnObject[]
  readonly sequenceDefaults: readonly SequenceDefault[]
  /** As the server guesses, history rows included. */
  readonly estimatedRows: number
  readonly sizeBytes: number
}

export const PROGRAM_KINDS = [
  'function',
  'procedure',
  'package',
  'package body',
  'trigger',
  'view',
  'event',
] as const
export type ProgramKind = (typeof PROGRAM_KINDS)[number]

/** A privilege on one routine, which is revoked when the routine is dropped. */
export interface RoutineGrant {
  /** Quoted, as a statement needs it. */
  readonly account: string
  /** `EXECUTE`, `ALTER ROUTINE`. */
  readonly privileges: readonly string[]
  readonly withGrantOption: boolean
}

/** Something in a schema that is a piece of SQL. */
export interface Program {
  readonly kind: ProgramKind
  readonly name: string
  /** What SHOW CREATE prints, in `encoding`. */
  readonly createSql: string
  /**
   * Servers keep programs as bytes in the character set of whoever created them. `binary`: those bytes are no UTF-8,
   * and each character of `createSql` stands for one of them (U+0000 to U+00FF).
   */
  readonly encoding: 'utf8' | 'binary'
  /** `user@host` as the server keeps it, without quotes; a role has no `@`. */
  readonly definer: string | null
  readonly sqlMode: string
  readonly charset: string
  readonly collation: string
  /** Collation of the schema when it was created; null for views, which know none. */
  readonly databaseCollation: string | null
  /** Of events: the one in which its times are printed. */
  readonly timeZone: string | null
  /** Of events: seconds since 1970. An event whose times are over can be created only as of then. */
  readonly createdAt: number | null
  /** Of triggers. */
  readonly table: string | null
  /** Of triggers: the one of the same table, time and event that runs just before; it must be created before. */
  readonly orderedAfter: string | null
  readonly grants: readonly RoutineGrant[]
}
