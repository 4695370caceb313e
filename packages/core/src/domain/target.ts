import type { Counting, DumpFilter, GlobalsChoice } from './backup.ts'

/** Settings of a target that its driver and its backups understand; all optional. */
export interface TargetOptions {
  /** Directories stored beside the database with each backup, unless the request names others. */
  readonly include?: readonly string[]
  readonly compression?: Compression
  readonly verify?: VerificationLevel
  readonly format?: string
  readonly counting?: Counting
  readonly globals?: GlobalsChoice
  readonly filter?: Partial<DumpFilter>
  /** Of a target that names a server: which of its databases are backed up; `*` and `?` stand for any letters. */
  readonly databases?: Partial<DumpFilter>
  /** Of a target that names a server: databases backed up at the same time; 2 unless told otherwise. */
  readonly parallelDatabases?: number
  /** Name of a target on whose server drills of this one's backups make their scratch databases. */
  readonly drillOn?: string
}

export type Compression = 'zstd' | 'gzip' | 'none'
export type VerificationLevel = 'checksum' | 'structure' | 'restore'

/** A database under protection. Its URL is sealed in the catalog and shown only without its secrets. */
export interface Target {
  readonly id: string
  readonly name: string
  readonly engine: string
  /** The URL without user info and secret parameters, safe to show. */
  readonly displayUrl: string
  /** The strongest known identity of the database: what the target lock is keyed by. */
  readonly lockKey: string
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly options: TargetOptions
  readonly createdAt: string
  readonly updatedAt: string
}
