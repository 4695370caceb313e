import { rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type {
  DatabaseDriver,
  DatabaseInfo,
  DestinationReport,
  DriverContext,
  DumpDescription,
  DumpRequest,
  DumpSummary,
  ReplacedTicket,
  RestoreNeeds,
  StageRequest,
  StageTicket,
  SwapResult,
} from '@holdfast/core'
import { SIDE_SUFFIXES } from './file-names.ts'
import type { JobHooks } from './helper-conversation.ts'
import type { HelperPool } from './helper-pool.ts'
import type { DatabaseFacts, FileAccess } from './protocol.ts'
import { keepingSideFiles } from './side-files.ts'
import { SqliteRestore } from './sqlite-restore.ts'

/** What all drivers of this engine share. */
export interface SqliteDriverParts {
  readonly pool: HelperPool
  readonly context: DriverContext
  readonly patience: { readonly lockWaitMs: number; readonly openWithinMs: number }
}

/** One SQLite database file. All work on it happens in helper processes; here it is only asked for. */
export class SqliteDriver implements DatabaseDriver {
  readonly engine = 'sqlite'
  readonly #parts: SqliteDriverParts
  readonly #access: FileAccess
  readonly #restore: SqliteRestore

  constructor(path: string, parts: SqliteDriverParts) {
    this.#parts = parts
    const { context, patience } = parts
    this.#access = { path, roots: context.pathRoots, lockWaitMs: patience.lockWaitMs }
    this.#restore = new SqliteRestore(this.#access, parts)
  }

  async inspect(signal: AbortSignal): Promise<DatabaseInfo> {
    const { pool } = this.#parts
    const { output, warnings } = await keepingSideFiles(pool, this.#access, () =>
      pool.run('inspect', this.#access, this.#hooks(signal)),
    )
    const { facts, realPath } = output
    return {
      version: facts.sqliteVersion,
      toolVersion: facts.toolVersion,
      sizeBytes: facts.pageSize * facts.pageCount,
      lockKey: `sqlite:${realPath}`,
      files: ['', ...SIDE_SUFFIXES].map((suffix) => `${realPath}${suffix}`),
      details: detailsOf(facts),
      warnings: [...output.warnings, ...warnings],
    }
  }

  async dump(request: DumpRequest, signal: AbortSignal): Promise<DumpSummary> {
    const sinkFile = request.sink.file()
    const hooks = {
      ...this.#hooks(signal),
      onProgress: (bytes: number, totalBytes: number) => request.onProgress({ bytes, totalBytes }),
    }
    const { pool, context } = this.#parts
    try {
      let startedAt = 0
      const { output, warnings } = await keepingSideFiles(pool, this.#access, () => {
        startedAt = context.now()
        return pool.run('dump', { ...this.#access, sinkFile }, hooks)
      })
      const { facts, copiedBy, pinnedAfterMs, sizeBytes, sha256, rowCounts } = output
      return {
        ...{ sizeBytes, sha256 },
        ...{ rowCounts: Object.fromEntries(rowCounts), counting: 'exact', attachments: [] },
        serverVersion: facts.sqliteVersion,
        toolVersion: facts.toolVersion,
        // rounded down: a backup never claims to be younger than it is
        consistentAt: new Date(Math.floor(startedAt + pinnedAfterMs)).toISOString(),
        details: { ...detailsOf(facts), copiedBy },
        warnings: [...output.warnings, ...warnings],
      }
    } catch (error) {
      // a helper that was killed could not remove what it had written
      for (const suffix of ['', ...SIDE_SUFFIXES]) await rm(`${sinkFile}${suffix}`, { force: true })
      throw error
    }
  }

  inspectDestination(signal: AbortSignal): Promise<DestinationReport> {
    return this.#restore.inspectDestination(signal)
  }

  preflight(dump: DumpDescription): Promise<RestoreNeeds> {
    return this.#restore.preflight(dump)
  }

  stage(request: StageRequest, source: Readable, signal: AbortSignal): Promise<StageTicket> {
    return this.#restore.stage(request, source, signal)
  }

  swap(ticket: StageTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<SwapResult> {
    return this.#restore.swap(ticket, confirm, signal)
  }

  discardStaged(operationId: string): Promise<void> {
    return this.#restore.discardStaged(operationId)
  }

  undo(ticket: ReplacedTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<void> {
    return this.#restore.undo(ticket, confirm, signal)
  }

  removeReplaced(ticket: ReplacedTicket): Promise<void> {
    return this.#restore.removeReplaced(ticket)
  }

  /** Staged data lies beside its database, where {@link discardStaged} finds it by its operation alone. */
  async removeLeftovers(): Promise<readonly string[]> {
    return []
  }

  #hooks(signal: AbortSignal): JobHooks {
    return { signal, openWithinMs: this.#parts.patience.openWithinMs }
  }
}

function detailsOf(facts: DatabaseFacts): DatabaseInfo['details'] {
  const { pageSize, pageCount, encoding, journalMode, userVersion, applicationId } = facts
  return { pageSize, pageCount, encoding, journalMode, userVersion, applicationId }
}
