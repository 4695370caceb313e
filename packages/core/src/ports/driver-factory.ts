import type { AttachmentRole } from '../domain/object-keys.ts'
import type { CheckReport, CheckRequest, DatabaseDriver, DriverContext } from './driver.ts'

/** A format in which an engine's dumps are stored. */
export interface DumpFormat {
  readonly name: string
  /** Of the object's name, without the dot. */
  readonly extension: string
  /** Flows out as it is read; if not, the database must fit into temporary space first. */
  readonly streams: boolean
}

/** One stored artifact, for commands that are run by hand in the folder of its backup. */
export interface StoredPart {
  /** A command of a shell that prints the plain bytes. */
  readonly command: string
  /** Of the plain bytes, like the hash. */
  readonly sizeBytes: number
  readonly sha256: string
}

/** What is known of a stored dump when the commands are written that bring it back by hand. */
export interface StoredParts {
  readonly format: string
  readonly serverVersion: string
  readonly toolVersion: string
  readonly details: Readonly<Record<string, string | number | boolean>>
  readonly data: StoredPart
  /** Null for what the dump came without. */
  readonly attachments: Readonly<Record<AttachmentRole, StoredPart | null>>
}

/** Engines whose servers hold many databases: a URL without a database names the server. */
export interface ServerSupport {
  isServer(url: string): boolean
  /**
   * The URL of one database of a server, which the URL of another database of it names as well. Throws
   * INVALID_CONNECTION for what is no name of a database.
   */
  urlOf(serverUrl: string, database: string): string
  /** The databases that can be backed up, without templates and without what restores and drills made. */
  databases(serverUrl: string, context: DriverContext, signal: AbortSignal): Promise<readonly string[]>
}

/** What not every engine can do. */
export interface EngineSupport {
  readonly globals: boolean
  readonly filter: boolean
  readonly snapshot: boolean
  /** Views and routines run as an account that they name, which a restore may replace. */
  readonly definers: boolean
}

/** How an engine is plugged in: the registry holds one per engine folder. */
export interface DriverFactory {
  readonly engine: string
  /** The first one is the default. */
  readonly formats: readonly [DumpFormat, ...DumpFormat[]]
  /** What a backup or a restore may ask for beyond a format; anything else is refused before it is accepted. */
  readonly supports: EngineSupport
  /** Null for engines without servers. */
  readonly servers: ServerSupport | null
  /** URL schemes without the colon, e.g. `sqlite`. */
  readonly schemes: readonly string[]
  /** Throws INVALID_CONNECTION naming the bad part, never its secrets. */
  create(url: string, context: DriverContext): DatabaseDriver
  /** The URL without secrets. Throws INVALID_CONNECTION like {@link create}. */
  displayUrl(url: string): string
  /**
   * Checks a plain dump; needs no target, since a backup outlives its target.
   * A bad dump is a report that says so; throws only if it could not check.
   */
  check(request: CheckRequest, context: DriverContext, signal: AbortSignal): Promise<CheckReport>
  /**
   * The sections of RESTORE.md, from `## 2.` on, that bring a stored dump back with the engine's own programs. Each
   * block of commands ends in a line that begins with OK if all went well. Whatever a server named is quoted.
   */
  restoreSteps(parts: StoredParts): string
  /** A lock key from the URL alone, without connecting; `inspect` may find a stronger one. */
  lockKeyOf(url: string): Promise<string>
  /** Releases what all drivers of this engine share, e.g. helper processes kept warm. */
  close(): Promise<void>
}

/** All engines that this process knows. */
export interface DriverRegistry {
  /** Rejects by throwing UNSUPPORTED_ENGINE or INVALID_CONNECTION, never repeating the URL. */
  forUrl(url: string): DriverFactory
  byEngine(engine: string): DriverFactory
  close(): Promise<void>
}
