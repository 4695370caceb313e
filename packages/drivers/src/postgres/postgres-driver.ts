import type { Readable } from 'node:stream'
import type {
  DatabaseDriver,
  DatabaseInfo,
  DestinationReport,
  DumpDescription,
  DumpRequest,
  DumpSummary,
  ReplacedTicket,
  RestoreNeeds,
  RestoreOptions,
  StageRequest,
  StageTicket,
  SwapResult,
} from '@holdfast/core'
import { dumpDatabase } from './dump/dump-database.ts'
import { inspectDatabase } from './dump/inspect-database.ts'
import type { PostgresParts } from './postgres-parts.ts'
import { PostgresRestore } from './restore/postgres-restore.ts'

/** One PostgreSQL database, or a server as a whole, which can only be looked at. */
export class PostgresDriver implements DatabaseDriver {
  readonly engine = 'postgres'
  readonly #parts: PostgresParts
  readonly #restore: PostgresRestore

  constructor(parts: PostgresParts) {
    this.#parts = parts
    this.#restore = new PostgresRestore(parts)
  }

  inspect(signal: AbortSignal): Promise<DatabaseInfo> {
    return inspectDatabase(this.#parts, signal)
  }

  dump(request: DumpRequest, signal: AbortSignal): Promise<DumpSummary> {
    return dumpDatabase(this.#parts, request, signal)
  }

  inspectDestination(signal: AbortSignal): Promise<DestinationReport> {
    return this.#restore.inspectDestination(signal)
  }

  preflight(dump: DumpDescription, options: RestoreOptions, signal: AbortSignal): Promise<RestoreNeeds> {
    return this.#restore.preflight(dump, options, signal)
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

  removeLeftovers(
    isOver: (operationId: string) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return this.#restore.removeLeftovers(isOver, signal)
  }
}
