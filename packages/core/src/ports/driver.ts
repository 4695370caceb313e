import type { Readable, Writable } from 'node:stream'
import type { BackupMode, Counting, DumpFilter, GlobalsChoice } from '../domain/backup.ts'
import type { AttachmentRole } from '../domain/object-keys.ts'
import type { Progress } from '../domain/operation.ts'

/** What `inspect` finds; the cheapest proof that network, path and credentials work. */
export interface DatabaseInfo {
  readonly version: string
  readonly toolVersion: string
  readonly sizeBytes: number
  /** The strongest identity that the engine gives; equal for two URLs of one database. */
  readonly lockKey: string
  /** Absolute paths of the files that it consists of, which no archive of directories may hold; empty for a server. */
  readonly files: readonly string[]
  readonly details: Readonly<Record<string, string | number | boolean>>
  readonly warnings: readonly string[]
}

/** Where a dump goes. A driver uses one of the two, once. */
export interface DumpSink {
  /** For tools that print: bytes flow on to compression as they come. The driver ends it. */
  stream(): Writable
  /** For engines that need a file: a path in scratch space (not existing yet) that the driver fills. */
  file(): string
}

export interface DumpRequest {
  /** Tags what works for this operation on the server, so that leftovers of a lost worker can be ended. */
  readonly operationId: string
  readonly mode: BackupMode
  /** Name of one of the factory's formats. */
  readonly format: string
  readonly counting: Counting
  readonly globals: GlobalsChoice
  /** Null: everything. */
  readonly filter: DumpFilter | null
  readonly sink: DumpSink
  /** Private directory, empty, gone afterwards: for what a driver must lay down before it can stream. */
  readonly scratchDir: string
  readonly onProgress: (progress: Progress) => void
}

/** A small text that belongs to a dump and may hold what a manifest must not, such as settings. */
export interface Attachment {
  readonly role: AttachmentRole
  /** Extension of its object: `sql` or `json`. */
  readonly format: string
  readonly content: string
}

/** What is true of a dump that `dump` called complete. Counts come from the source at the pinned moment. */
export interface DumpSummary {
  readonly sizeBytes: number
  /** SHA-256 (hex) of the dump's bytes as they left the source. */
  readonly sha256: string
  /** By table; empty if counting is off. */
  readonly rowCounts: Readonly<Record<string, number>>
  /** What was counted in the end, which may be less than was asked for: then a warning says why. */
  readonly counting: Counting
  readonly serverVersion: string
  readonly toolVersion: string
  readonly consistentAt: string
  readonly details: Readonly<Record<string, string | number | boolean>>
  readonly warnings: readonly string[]
  readonly attachments: readonly Attachment[]
}

/** What is known of a stored dump when it is checked or restored. */
export interface DumpDescription {
  readonly mode: BackupMode
  readonly format: string
  readonly sizeBytes: number
  readonly counting: Counting
  readonly rowCounts: Readonly<Record<string, number>>
  readonly serverVersion: string
  readonly toolVersion: string
  readonly details: Readonly<Record<string, string | number | boolean>>
  readonly attachments: readonly Attachment[]
}

/** `structure`: what the engine checks quickly. `full`: everything it can check, with rows counted. */
export type CheckDepth = 'structure' | 'full'

export interface CheckReport {
  readonly valid: boolean
  /** In words for an operator; says what is wrong if it is not valid. */
  readonly message: string
  /** Filled by `full`, unless nothing was counted in the source. */
  readonly rowCounts: Readonly<Record<string, number>> | null
}

/** A plain dump that lies in a file, and how deeply to look at it. */
export interface CheckRequest {
  /** Names scratch data, so that a second run finds what the first one left. */
  readonly operationId: string
  readonly file: string
  readonly depth: CheckDepth
  readonly dump: DumpDescription
  /** URL of a server on which a scratch database may be made for `full`; null if none is known. */
  readonly scratchUrl: string | null
  readonly onProgress: (progress: Progress) => void
}

/** What is at the destination of a restore now, and what restoring would need. */
export interface DestinationReport {
  readonly exists: boolean
  /** True if something is there that a restore would replace. */
  readonly occupied: boolean
  readonly sizeBytes: number
  readonly lockKey: string
  /** Where the restore would put its data, safe to show. */
  readonly location: string
  readonly warnings: readonly string[]
}

/**
 * A ticket for data brought next to the destination and checked, but not visible yet.
 * Opaque to core, JSON text, stored in the journal before the swap begins.
 */
export type StageTicket = string

/** A ticket for what a swap replaced; opaque to core, JSON text. */
export type ReplacedTicket = string

export interface SwapResult {
  /** Null if nothing was there before. */
  readonly replaced: { readonly ticket: ReplacedTicket; readonly location: string } | null
  readonly warnings: readonly string[]
}

/** What a restore may change about what it restores. */
export interface RestoreOptions {
  /** Objects keep their owners and privileges; if not, all belong to whoever restores. */
  readonly keepOwners: boolean
  /**
   * The account (`user@host`) in place of the definers of views, triggers, routines and events; null: each keeps its
   * own. Never together with `keepOwners: false`; engines without definers are never given one.
   */
  readonly definer: string | null
}

export interface StageRequest {
  /** Names temporary data, so that a second run finds what the first one left. */
  readonly operationId: string
  readonly dump: DumpDescription
  readonly options: RestoreOptions
  /** Private directory, empty, gone after staging: for what must lie in a file before it can be loaded. */
  readonly scratchDir: string
  readonly onProgress: (progress: Progress) => void
}

/** What a restore of one dump would need at a destination, all of it found there. */
export interface RestoreNeeds {
  /** Space that the restored database will take beside what is there, as well as it can be known. */
  readonly bytesNeeded: number
  /** In words: privileges and settings that the restore makes use of. */
  readonly privileges: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * One database engine bound to one target. Cheap to build; keeps no state between calls.
 *
 * Foreseen failures are {@link AppError}s (DATABASE_*, TARGET_UNREACHABLE, PATH_NOT_ALLOWED, TOOL_FAILED,
 * TEMPORARY_SPACE_FULL, CANCELLED …) in bounded time; no child process outlives the promise.
 */
export interface DatabaseDriver {
  readonly engine: string

  inspect(signal: AbortSignal): Promise<DatabaseInfo>

  /**
   * Writes one dump of one moment. Resolves only when the dump is known to be complete and flushed.
   * Never changes the source, nor anything beside it.
   */
  dump(request: DumpRequest, signal: AbortSignal): Promise<DumpSummary>

  /** Looks at the destination without changing it. */
  inspectDestination(signal: AbortSignal): Promise<DestinationReport>

  /**
   * Finds out, without changing anything, whether a dump can be restored here. Rejects naming what is missing
   * (RESTORE_NOT_POSSIBLE: roles, extensions, privileges, versions) and what to do.
   */
  preflight(dump: DumpDescription, options: RestoreOptions, signal: AbortSignal): Promise<RestoreNeeds>

  /**
   * Brings `source` (a plain dump) next to the destination and checks it there. The destination is untouched.
   * The source rejects while streaming if its bytes are not the ones expected; then nothing is left.
   * Repeating it for the same operation replaces what an earlier attempt left.
   */
  stage(request: StageRequest, source: Readable, signal: AbortSignal): Promise<StageTicket>

  /**
   * Makes staged data the database, all or nothing, keeping aside what was there.
   *
   * `confirm` is awaited while the destination's own lock is held and nothing is changed yet: if it rejects,
   * nothing is. May be called again with the same ticket after a crash at any moment: it goes on to the same end.
   */
  swap(ticket: StageTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<SwapResult>

  /** Removes staged data that will not be used, also after a crash in the middle of {@link stage}. Idempotent. */
  discardStaged(operationId: string): Promise<void>

  /** Puts back what a swap replaced, all or nothing; same contract as {@link swap}. Resolves when it is back. */
  undo(ticket: ReplacedTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<void>

  /** Removes what a swap replaced, for good. Idempotent. */
  removeReplaced(ticket: ReplacedTicket): Promise<void>

  /**
   * Removes staged and scratch data of operations that are over, which nobody came back to remove. Returns where
   * it lay, safe to show.
   */
  removeLeftovers(
    isOver: (operationId: string) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<readonly string[]>
}

/** What a driver may use of the process it runs in. */
export interface DriverContext {
  /** Absolute, resolved directories below which database files and included directories may lie. */
  readonly pathRoots: readonly string[]
  /** Private directory (0700) for temporary files. */
  readonly scratchDir: string
  readonly now: () => number
}
