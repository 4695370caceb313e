import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { DumpDescription, SwapResult } from '@holdfast/core'
import { AppError, canonicalJson, hasCode, toFailure } from '@holdfast/core'
import { consent } from '../../client-server/consent.ts'
import { checkInside } from '../check/check-inside.ts'
import type { Contents } from '../contents/contents-file.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import type { Session } from '../session.ts'
import { tidySessions } from '../tidy-sessions.ts'
import { whileServerAnswers } from '../watch-server.ts'
import { applySettings, settingsIn } from './apply-settings.ts'
import { requireFormat } from './archive.ts'
import { endLeftovers } from './change-names.ts'
import type { Kept } from './in-place-files.ts'
import { InPlaceFiles } from './in-place-files.ts'
import { loadInPlace } from './in-place-loading.ts'
import { findDatabase, hasUserObjects } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import { openAnywhere, openBriefly, withSession } from './maintenance.ts'
import { requirePlace } from './server-identity.ts'
import type { StagedFile } from './tickets.ts'
import { countAll, expectedRows } from './verify-rows.ts'

/** A dump that has arrived and is to wait for its swap. */
interface Waiting {
  readonly operationId: string
  readonly dump: DumpDescription
  readonly contents: Contents
  readonly keepOwners: boolean
  readonly path: string
}

const DOUBT_MS = 120_000
const POLL_MS = 500
const OWNER_STAYS =
  'owner, privileges and settings for roles of the database itself are not those of the source'

/**
 * Puts a dump where the swap finds it, for a database that cannot be exchanged. Returns a digest of the rows that it
 * must have in the end, or null if nobody knows. Rejects with VERIFICATION_FAILED for what pg_restore cannot read.
 */
export async function keepForSwap(
  parts: PostgresParts,
  { operationId, dump, contents, keepOwners, path }: Waiting,
  signal: AbortSignal,
): Promise<string | null> {
  const { valid, message } = await checkInside(parts, dump, path, signal)
  if (!valid) throw new AppError('VERIFICATION_FAILED', `not restorable: ${message}`)
  const rows = Object.fromEntries(expectedRows(dump, contents))
  const { format, attachments } = dump
  const files = new InPlaceFiles(parts.context.scratchDir, operationId)
  await files.keep(path, { format, keepOwners, settings: settingsIn(attachments), rows })
  return dump.counting === 'exact' ? digestOf(rows) : null
}

/**
 * Loads a kept dump into the destination in one transaction, unless that has happened already. Nothing is kept aside,
 * since there was nothing.
 */
export async function swapInPlace(
  parts: PostgresParts,
  access: ServerAccess,
  ticket: StagedFile,
  confirm: () => Promise<void>,
  signal: AbortSignal,
): Promise<SwapResult> {
  const swap = new InPlaceSwap(parts, access, ticket)
  if (!(await swap.hasHappened(signal))) await swap.load(confirm, signal)
  return { replaced: null, warnings: await swap.applySettings(signal) }
}

class InPlaceSwap {
  readonly #parts: PostgresParts
  readonly #access: ServerAccess
  readonly #ticket: StagedFile
  readonly #files: InPlaceFiles

  constructor(parts: PostgresParts, access: ServerAccess, ticket: StagedFile) {
    this.#parts = parts
    this.#access = access
    this.#ticket = ticket
    this.#files = new InPlaceFiles(parts.context.scratchDir, ticket.operationId)
  }

  /** Judged by the transaction if this machine knows it, else by what lies in the database. */
  async hasHappened(signal: AbortSignal): Promise<boolean> {
    return withSession(openAnywhere(this.#access, signal), async (session) => {
      await requirePlace(this.#access, session, this.#ticket)
      await endLeftovers(session, this.#access.applicationName)
      const database = await findDatabase(session, this.#access.destination)
      if (database?.oid !== this.#ticket.destinationOid) {
        throw new AppError(
          'DATABASE_NOT_FOUND',
          `the database ${this.#access.destination} is no longer the one it was`,
        )
      }
      const status = await this.#statusOfTransaction(session)
      if (status === 'committed') return true
      return withSession(openBriefly(this.#access, database.name, signal), (inside) =>
        this.#isThere(inside, status),
      )
    })
  }

  async load(confirm: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const kept = await this.#files.read()
    if (kept === null) {
      throw new AppError(
        'DATABASE_NOT_FOUND',
        'the dump that waited for the swap is not on this machine, or was discarded',
      )
    }
    let isNoted = false
    const onLoaded = async (transaction: string, watched: AbortSignal) => {
      await this.#files.noteTransaction(transaction)
      isNoted = true
      await consent(confirm, signal, watched)
    }
    const place = { database: this.#access.destination, tag: this.#access.applicationName }
    try {
      await this.#loadWatched(kept, onLoaded, signal)
    } catch (error) {
      await tidySessions(this.#parts, place)
      if (isNoted && (await this.#wasCommitted())) return
      throw error
    }
  }

  /** The data is in place by now: what cannot be set is told. */
  async applySettings(signal: AbortSignal): Promise<readonly string[]> {
    const kept = await this.#files.read()
    if (kept === null || kept.settings === null) return []
    try {
      const place = await this.#toolPlace(signal)
      await applySettings(place, { keepOwners: false, script: kept.settings }, signal)
      return [OWNER_STAYS]
    } catch (error) {
      return [OWNER_STAYS, `the settings of the database could not be restored: ${toFailure(error).detail}`]
    }
  }

  async #loadWatched(
    kept: Kept,
    onLoaded: (transaction: string, watched: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const place = await this.#toolPlace(signal)
    const archive = { format: requireFormat(kept.format), path: this.#files.dump, toc: null }
    const expected = new Map(Object.entries(kept.rows))
    await whileServerAnswers(this.#parts, place, signal, (watched) => {
      const loaded = (transaction: string) => onLoaded(transaction, watched)
      const { keepOwners } = kept
      return loadInPlace({ ...place, archive, keepOwners, expected, onLoaded: loaded }, watched)
    })
  }

  async #toolPlace(signal: AbortSignal) {
    const { connection, destination, applicationName } = this.#access
    const { serverVersion } = await withSession(
      openBriefly(this.#access, destination, signal),
      async (session) => session,
    )
    const tools = await this.#parts.toolbox.toolsFor(serverVersion)
    return { connection, database: destination, applicationName, tools, serverVersion }
  }

  async #isThere(inside: Session, status: string | null): Promise<boolean> {
    if (!(await hasUserObjects(inside))) return false
    if (status === null && (await this.#isOurs(inside))) return true
    throw new AppError(
      'DESTINATION_EXISTS',
      `the database ${inside.database} was empty when the restore began and holds something now`,
    )
  }

  async #isOurs(inside: Session): Promise<boolean> {
    const { countsDigest } = this.#ticket
    if (countsDigest === null) return true
    try {
      return countsDigest === digestOf(await countAll(inside))
    } catch (error) {
      // what we may not read we have not brought
      if (hasCode(error, 'DATABASE_ACCESS_DENIED')) return false
      throw error
    }
  }

  /** Of the one that this machine has noted; null if it knows of none, or the server no longer does. */
  async #statusOfTransaction(session: Session): Promise<string | null> {
    const transaction = await this.#files.transaction()
    if (transaction === null) return null
    const [row] = await session.query<{ readonly status: string | null }>(
      'SELECT txid_status($1::bigint) AS status',
      [transaction],
    )
    return row?.status ?? null
  }

  /** A commit whose answer was lost: nobody may be told anything before this is known. */
  async #wasCommitted(): Promise<boolean> {
    const until = AbortSignal.timeout(DOUBT_MS)
    for (;;) {
      try {
        return await this.hasHappened(until)
      } catch (error) {
        if (until.aborted || !(error instanceof AppError) || !error.retryable) throw error
        await delay(POLL_MS)
      }
    }
  }
}

function digestOf(rows: Readonly<Record<string, number>>): string {
  return createHash('sha256').update(canonicalJson(rows)).digest('hex')
}
