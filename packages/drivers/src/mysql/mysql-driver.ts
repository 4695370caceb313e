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
import type { MysqlParts } from './mysql-parts.ts'
import { inspectDestination } from './restore/inspect-destination.ts'
import { preflight } from './restore/preflight.ts'
import { stage } from './restore/stage.ts'
import { discardStaged } from './swap/discard-staged.ts'
import { removeLeftovers } from './swap/remove-leftovers.ts'
import { removeReplaced } from './swap/remove-replaced.ts'
import { swap } from './swap/swap.ts'
import { undo } from './swap/undo.ts'

/** One database of a MySQL or MariaDB server, or a server as a whole, which can only be looked at. */
export class MysqlDriver implements DatabaseDriver {
  readonly engine = 'mysql'
  readonly #parts: MysqlParts

  constructor(parts: MysqlParts) {
    this.#parts = parts
  }

  inspect(signal: AbortSignal): Promise<DatabaseInfo> {
    return inspectDatabase(this.#parts, signal)
  }

  dump(request: DumpRequest, signal: AbortSignal): Promise<DumpSummary> {
    return dumpDatabase(this.#parts, request, signal)
  }

  inspectDestination(signal: AbortSignal): Promise<DestinationReport> {
    return inspectDestination(this.#parts, signal)
  }

  preflight(dump: DumpDescription, options: RestoreOptions, signal: AbortSignal): Promise<RestoreNeeds> {
    return preflight(this.#parts, dump, options, signal)
  }

  stage(request: StageRequest, source: Readable, signal: AbortSignal): Promise<StageTicket> {
    return stage(this.#parts, request, source, signal)
  }

  swap(ticket: StageTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<SwapResult> {
    return swap(this.#parts, ticket, confirm, signal)
  }

  discardStaged(operationId: string): Promise<void> {
    return discardStaged(this.#parts, operationId)
  }

  undo(ticket: ReplacedTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<void> {
    return undo(this.#parts, ticket, confirm, signal)
  }

  removeReplaced(ticket: ReplacedTicket): Promise<void> {
    return removeReplaced(this.#parts, ticket)
  }

  removeLeftovers(
    isOver: (operationId: string) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return removeLeftovers(this.#parts, isOver, signal)
  }
}
