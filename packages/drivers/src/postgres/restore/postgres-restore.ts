import type { Readable } from 'node:stream'
import type {
  DestinationReport,
  DumpDescription,
  ReplacedTicket,
  RestoreNeeds,
  RestoreOptions,
  StageRequest,
  StageTicket,
  SwapResult,
} from '@holdfast/core'
import { AppError, throwIfAborted } from '@holdfast/core'
import { ownName } from '../../client-server/own-names.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { postgresLockKey } from '../postgres-url.ts'
import { tagOf } from '../tag.ts'
import { requireFormat } from './archive.ts'
import { endLeftovers } from './change-names.ts'
import { dropOwnDatabase } from './drop-database.ts'
import { swapInPlace } from './in-place.ts'
import { InPlaceFiles } from './in-place-files.ts'
import { inspectDestination } from './inspect-destination.ts'
import { removeLeftovers } from './leftovers.ts'
import type { ServerAccess } from './maintenance.ts'
import { openAnywhere, openMaintenance, withSession } from './maintenance.ts'
import { preflight } from './preflight.ts'
import { requirePlace } from './server-identity.ts'
import { stage } from './stage.ts'
import { swapShadow, undoSwap } from './swap-shadow.ts'
import { readReplaced, readStaged, writeTicket } from './tickets.ts'

/** Of sessions that only look. */
const LOOKING = 'holdfast'
/** Methods without a signal end all the same. */
const REMOVED_WITHIN_MS = 15 * 60_000

/** Brings a dump into place as one database of a server: the half of the driver that writes. */
export class PostgresRestore {
  readonly #parts: PostgresParts

  constructor(parts: PostgresParts) {
    this.#parts = parts
  }

  async inspectDestination(signal: AbortSignal): Promise<DestinationReport> {
    return inspectDestination(this.#access(LOOKING), signal)
  }

  async preflight(
    dump: DumpDescription,
    options: RestoreOptions,
    signal: AbortSignal,
  ): Promise<RestoreNeeds> {
    return preflight(this.#parts, this.#access(LOOKING), dump, options, signal)
  }

  async stage(request: StageRequest, source: Readable, signal: AbortSignal): Promise<StageTicket> {
    try {
      throwIfAborted(signal)
      requireFormat(request.dump.format)
      const access = this.#access(tagOf(request.operationId))
      return writeTicket(await stage(this.#parts, access, request, source, signal))
    } finally {
      // whoever produces the bytes must not wait for a reader that will never come
      source.destroy()
    }
  }

  async swap(ticket: StageTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<SwapResult> {
    const staged = readStaged(ticket)
    const access = this.#accessFor(staged)
    if (staged.kind === 'shadow') return swapShadow(access, staged, confirm, signal)
    return swapInPlace(this.#parts, access, staged, confirm, signal)
  }

  async discardStaged(operationId: string): Promise<void> {
    const access = this.#access(tagOf(operationId))
    const name = ownName('new', operationId)
    const signal = AbortSignal.timeout(REMOVED_WITHIN_MS)
    await withSession(openAnywhere(access, signal), async (session) => {
      await endLeftovers(session, access.applicationName)
      await dropOwnDatabase(access, session, name, null, signal)
    })
    await new InPlaceFiles(this.#parts.context.scratchDir, operationId).remove({ keepNote: true })
  }

  async undo(ticket: ReplacedTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const replaced = readReplaced(ticket)
    await undoSwap(this.#accessFor(replaced), replaced, confirm, signal)
  }

  async removeReplaced(ticket: ReplacedTicket): Promise<void> {
    const replaced = readReplaced(ticket)
    const access = this.#accessFor(replaced)
    const signal = AbortSignal.timeout(REMOVED_WITHIN_MS)
    await withSession(openMaintenance(access, signal), async (session) => {
      await requirePlace(access, session, replaced)
      await dropOwnDatabase(
        access,
        session,
        ownName('old', replaced.operationId),
        replaced.replacedOid,
        signal,
      )
    })
  }

  async removeLeftovers(
    isOver: (operationId: string) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { connection } = this.#parts
    const access = { connection, destination: connection.database ?? '', applicationName: LOOKING }
    return removeLeftovers(access, isOver, signal)
  }

  /** Before anything is asked of a server: a ticket of another place says nothing here. */
  #accessFor({ operationId, place }: { readonly operationId: string; readonly place: string }): ServerAccess {
    if (place === postgresLockKey(this.#parts.connection)) return this.#access(tagOf(operationId))
    throw new AppError(
      'INVALID_REQUEST',
      'the ticket of the restore is for another place than the target now names',
    )
  }

  #access(applicationName: string): ServerAccess {
    const { connection, patience } = this.#parts
    const { database } = connection
    const answerWithinMs = 2 * patience.silentForMs
    if (database !== null) return { connection, destination: database, applicationName, answerWithinMs }
    throw new AppError(
      'INVALID_REQUEST',
      'the URL names a server, and a restore goes into one of its databases',
      {
        hint: 'name the database: postgres://user@host/database',
      },
    )
  }
}
