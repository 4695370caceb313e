import type { DriverContext, DriverFactory } from '@holdfast/core'

/** What an engine must bring to be tested: nothing in the suite knows a table, a file or a tool. */
export interface DriverSubject {
  /** Makes the engine's factory; the suite closes it. */
  open(): DriverFactory
  /** The same for a process of its own, which is killed: a module and the name of its function. */
  readonly module: { readonly url: string; readonly name: string }
  /**
   * Whether an exchange takes several steps, so that one who is killed in the middle leaves it to whoever has the
   * database next. Otherwise there is the old or the new database at every moment.
   */
  readonly exchangesInSteps?: boolean
  /** Somewhere for the databases of one test. */
  makePlace(): Promise<DriverPlace>
}

/** Databases of one test. A URL names one of them. */
export interface DriverPlace {
  readonly context: DriverContext
  /** URL of a server for scratch databases; null for engines that need none. */
  readonly scratchUrl: string | null
  /** A new database with rows of every kind, different from all before it. */
  seeded(): Promise<string>
  /** A new database of about so many megabytes, so that work on it takes a while. */
  large(megabytes: number): Promise<string>
  /** Where no database is yet. */
  absent(): Promise<string>
  /** Equal for equal databases, whatever process looks; `absent` if there is none. */
  digest(url: string): Promise<string>
  rowCounts(url: string): Promise<Readonly<Record<string, number>>>
  /** Everything that lies where the databases are, with digests of its content: equal if nothing was touched. */
  traces(): Promise<readonly string[]>
  /** Lets other processes read and write a database, keeping an invariant, until they are stopped. */
  use(url: string): Promise<DatabaseUse>
  /** In words, where a database breaks the invariant that {@link use} keeps. */
  problems(url: string): Promise<readonly string[]>
  /** Processes of the server that the databases are on, its sessions included: none of them is the engine's. */
  serverProcesses(): Promise<readonly number[]>
  remove(): Promise<void>
}

/** Other processes at work on a database. */
export interface DatabaseUse {
  /** Ends them. Returns what they complained of. */
  stop(): Promise<readonly string[]>
}
