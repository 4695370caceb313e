import type { CheckDepth, ErrorCode } from '@holdfast/core'

/** Which database file is meant, and how far a helper may go to reach it. */
export interface FileAccess {
  readonly path: string
  readonly roots: readonly string[]
  /** How long to wait for a lock that another process holds. */
  readonly lockWaitMs: number
}

/** What the header and the pragmas of a database say. */
export interface DatabaseFacts {
  readonly sqliteVersion: string
  readonly toolVersion: string
  readonly pageSize: number
  readonly pageCount: number
  readonly encoding: string
  readonly journalMode: string
  readonly userVersion: number
  readonly applicationId: number
}

export interface InspectOutput {
  readonly realPath: string
  readonly facts: DatabaseFacts
  readonly warnings: readonly string[]
}

/** Pairs rather than an object: a table may be called `__proto__`. */
export type RowCounts = readonly (readonly [table: string, rows: number])[]

/** How the pages of a dump were read; kept with the backup, since each way has its own argument for being right. */
export type CopyMethod = 'direct' | 'backup-api' | 'recovered'

export interface DumpOutput {
  readonly facts: DatabaseFacts
  readonly sizeBytes: number
  readonly sha256: string
  readonly rowCounts: RowCounts
  readonly copiedBy: CopyMethod
  /** From the receipt of the job to the moment that the dump shows. */
  readonly pinnedAfterMs: number
  readonly warnings: readonly string[]
}

/** What lies at the destination of a restore. */
export type DestinationState = 'absent' | 'empty' | 'database' | 'other'

export interface DestinationOutput {
  readonly realPath: string
  readonly state: DestinationState
  readonly sizeBytes: number
  /** From the header; null unless it is a database. */
  readonly isWal: boolean | null
  readonly leftovers: readonly string[]
  readonly freeBytes: number
}

export interface CheckInput {
  readonly file: string
  /** `integrity`: all that SQLite can find, without counting rows. */
  readonly depth: CheckDepth | 'integrity'
}

export interface CheckOutput {
  readonly valid: boolean
  readonly message: string
  readonly rowCounts: RowCounts | null
}

/** One file, whatever it is called now. Numbers as text: an inode may exceed 2^53. */
export interface FileIdentity {
  readonly device: string
  readonly inode: string
}

/**
 * What a swap kept aside. `pages`: a copy of the old database, whose file lives on with new pages; more copies only
 * if an interrupted swap left it open which one is right. `file`: the old file itself (it was no database), or null
 * if only side files of a database that was gone lay there.
 */
export type Aside =
  | {
      readonly kind: 'pages'
      readonly path: string
      readonly more: readonly string[]
      /** Whether the old database was in WAL mode: its copy is not. */
      readonly wasWal: boolean
    }
  | {
      readonly kind: 'file'
      readonly path: string
      readonly file: FileIdentity | null
      readonly side: readonly string[]
    }

export interface SwapInput extends FileAccess {
  readonly operationId: string
  readonly staged: FileIdentity
  /** Whether the destination was in WAL mode when the data was staged. */
  readonly wasWal: boolean
}

export interface SwapOutput {
  readonly aside: Aside | null
  readonly warnings: readonly string[]
}

export interface UndoInput extends FileAccess {
  readonly operationId: string
  readonly aside: Aside
}

/** Every job that a helper process does: name, input and output. */
export interface HelperJobs {
  inspect: { input: FileAccess; output: InspectOutput }
  dump: { input: FileAccess & { readonly sinkFile: string }; output: DumpOutput }
  tidy: { input: FileAccess & { readonly keepWal: boolean }; output: null }
  check: { input: CheckInput; output: CheckOutput }
  destination: { input: FileAccess; output: DestinationOutput }
  swap: { input: SwapInput; output: SwapOutput }
  undo: { input: UndoInput; output: null }
}

export type JobName = keyof HelperJobs

/** From the driver to its helper. */
export type ToHelper =
  | { readonly type: 'job'; readonly name: JobName; readonly input: unknown }
  | { readonly type: 'confirmed' }
  | { readonly type: 'refused' }

/** From a helper to its driver. `retire`: the helper must be killed, not used again. */
export type FromHelper =
  | { readonly type: 'opened' }
  | { readonly type: 'progress'; readonly bytes: number; readonly totalBytes: number }
  | { readonly type: 'confirm' }
  | { readonly type: 'done'; readonly output: unknown; readonly retire: boolean }
  | { readonly type: 'failed'; readonly failure: HelperFailureShape }
  | { readonly type: 'broken'; readonly text: string }

/** A foreseen failure on its way between processes. */
export interface HelperFailureShape {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | null
}
