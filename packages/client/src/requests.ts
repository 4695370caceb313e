// What may be asked for. Tests compare these types with the schemas that the service validates by.

export type BackupMode = 'full' | 'snapshot'
export type BackupKind = 'manual' | 'scheduled' | 'pre-migration' | 'pre-restore'
export type Compression = 'zstd' | 'gzip' | 'none'
/** `checksum`: every stored byte; `structure`: the engine's quick check too; `restore`: a drill. */
export type VerificationLevel = 'checksum' | 'structure' | 'restore'
/** How rows are counted at the moment of the dump; `exact` also digests their contents. */
export type Counting = 'exact' | 'estimate' | 'off'
/** Whether roles and other things of the whole server are stored beside the dump. */
export type GlobalsChoice = 'with-passwords' | 'without-passwords' | 'none'
export type Role = 'viewer' | 'operator' | 'admin'

/** Names, in which `*` and `?` stand for any letters. */
export interface NameFilter {
  /** All of them if left out. */
  include?: string[]
  exclude?: string[]
}

/** Defaults of the backups of one target. */
export interface TargetOptions {
  /** Absolute directories stored beside the database. */
  include?: string[]
  compression?: Compression
  verify?: VerificationLevel
  /** A format of the engine, such as `custom` or `directory`. */
  format?: string
  counting?: Counting
  globals?: GlobalsChoice
  /** Schemas, or tables as `schema.table`. */
  filter?: NameFilter
  /** Of a target that names a server: which of its databases are backed up. */
  databases?: NameFilter
  /** Of a target that names a server: databases backed up at the same time; 2 unless told otherwise. */
  parallelDatabases?: number
  /** Name of a target on whose server drills of this one's backups make their scratch databases. */
  drillOn?: string
}

/** A database to protect. The URL's credentials are sealed by the service and never shown again. */
export interface NewTarget {
  name: string
  url: string
  environment?: string | null
  labels?: Record<string, string>
  options?: TargetOptions
}

/** What is left out stays. */
export type TargetChange = Partial<Omit<NewTarget, 'name'>>

/** A backup to take; everything but the target has a default. */
export interface BackupRequest {
  target: string
  /** Of a target that names a server: one of its databases. Left out there, all of them are backed up, as a group. */
  database?: string
  /** A name for people, accepted wherever an id is; not for a group. */
  name?: string
  mode?: BackupMode
  /** `pre-migration` and `pre-restore` are never merged with an equal request under way. */
  kind?: BackupKind
  /** A format of the engine, such as `custom`, `plain`, `directory` or `tar` for PostgreSQL. */
  format?: string
  counting?: Counting
  globals?: GlobalsChoice
  /** Schemas, or tables as `schema.table`. */
  filter?: NameFilter
  compression?: Compression
  /** Absolute directories stored beside the database. */
  include?: string[]
  storage?: string
  labels?: Record<string, string>
  note?: string
  /** `permanent`, or a time such as `12h`, `30d`, `8w`, `1y`. */
  retain?: string
  /** How deeply it is verified before it may be called completed. */
  verify?: VerificationLevel
}

/** Where a restore goes, and what it may replace there. */
export interface RestoreRequest {
  /** On a target that names a server the backup goes to the database that it is of, unless another one is named. */
  into: { target: string; database?: string } | { url: string }
  /** True unless told otherwise: everything is checked, nothing is changed. */
  dryRun?: boolean
  /** Needed to replace data: the destination's name, as a dry run reports it. */
  confirm?: string
  /** Needed to replace data. */
  overwrite?: boolean
  /** False: restored objects belong to whoever restores them. */
  keepOwners?: boolean
  /** MySQL and MariaDB: the account (`user@host`) in place of the definers of views, triggers, routines and events. */
  definer?: string
  /** Absolute directory that receives the included directories. */
  filesInto?: string
}

export interface VerifyRequest {
  /** `restore`, a drill, unless told otherwise. */
  level?: VerificationLevel
}

/** What is left out stays. */
export interface BackupChange {
  pinned?: boolean
  /** Accepts a backup that shrank: the new baseline. */
  suspicious?: false
  labels?: Record<string, string>
  note?: string | null
}
