import type { Digest, DumpRequest, DumpSummary } from '@holdfast/core'
import { AppError, cancellation, hasCode, ToolFailure, throwIfAborted, together } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import { versionText } from '../client-tools.ts'
import { writeContents } from '../contents/contents-file.ts'
import type { Relation } from '../contents/list-relations.ts'
import { sequenceRanges } from '../contents/sequences.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { endSessions, tagOf } from '../tag.ts'
import { tidySessions } from '../tidy-sessions.ts'
import { whileServerAnswers } from '../watch-server.ts'
import { awaitLocks } from './await-locks.ts'
import type { Counted } from './count-pinned.ts'
import { countPinned } from './count-pinned.ts'
import { detailsOf, settingsOf } from './database-facts.ts'
import type { SourceDescription } from './describe-source.ts'
import { describeSource, readSequencesAgain } from './describe-source.ts'
import { dumpGlobals, requireGlobals } from './dump-globals.ts'
import { describeLeftOut, encodingArgument, filterArguments } from './left-out.ts'
import type { PgDump, PgDumpFormat } from './pg-dump.ts'
import { startPgDump } from './pg-dump.ts'
import type { PinnedMoment } from './pin-moment.ts'
import { letGo, pinMoment } from './pin-moment.ts'
import { requireWhole } from './require-whole.ts'
import { ToolWarnings } from './tool-warnings.ts'

/** One dump that was asked for. */
interface DumpJob {
  readonly parts: PostgresParts
  readonly request: DumpRequest
  readonly database: string
  readonly format: PgDumpFormat
  /** The name of all that works for it on the server. */
  readonly tag: string
}

/**
 * Dumps one database as it is at one moment, at which its rows are counted, too. However it ends, nothing of it goes
 * on on the server.
 */
export async function dumpDatabase(
  parts: PostgresParts,
  request: DumpRequest,
  signal: AbortSignal,
): Promise<DumpSummary> {
  throwIfAborted(signal)
  const { operationId } = request
  const job = {
    parts,
    request,
    database: databaseOf(parts),
    format: formatOf(request),
    tag: tagOf(operationId),
  }
  try {
    return await dumpOnce(job, signal)
  } catch (error) {
    if (job.format !== 'directory' || !isLockedOut(error)) throw error
    const patience = { ...parts.patience, parallel: 1 }
    return await dumpOnce({ ...job, parts: { ...parts, patience } }, signal)
  }
}

/** Several processes of pg_dump give up as soon as anybody waits for a table; a single one has all locks already. */
function isLockedOut(error: unknown): boolean {
  return hasCode(error, 'DATABASE_LOCKED') && error.cause instanceof ToolFailure
}

async function dumpOnce(job: DumpJob, signal: AbortSignal): Promise<DumpSummary> {
  const end = new AbortController()
  const sessions = new DumpSessions(job, AbortSignal.any([signal, end.signal]))
  const first = await sessions.open()
  try {
    // what a lost worker left of the same operation would be in the way
    await endSessions(first, job.tag)
    const place = { database: job.database, applicationName: job.tag }
    return await whileServerAnswers(job.parts, place, signal, (watched) => {
      watched.addEventListener('abort', () => end.abort(watched.reason), { once: true })
      return new DatabaseDump(job, sessions, end).run(first, watched)
    })
  } catch (error) {
    end.abort(error)
    await sessions.close()
    await tidySessions(job.parts, job)
    throw signal.aborted ? cancellation(signal) : error
  } finally {
    await sessions.close()
  }
}

function databaseOf({ connection }: PostgresParts): string {
  if (connection.database !== null) return connection.database
  throw new AppError('INVALID_REQUEST', 'the target names a server: a dump is of one database')
}

function formatOf({ mode, format }: DumpRequest): PgDumpFormat {
  if (mode !== 'full') throw new AppError('INVALID_REQUEST', `PostgreSQL has no backups of mode ${mode}`)
  if (format === 'custom' || format === 'plain' || format === 'directory' || format === 'tar') return format
  throw new AppError('INVALID_REQUEST', `PostgreSQL has no format ${format.slice(0, 40)}`)
}

/** The sessions of one dump, which end with a signal, on the server too. */
class DumpSessions {
  readonly #job: DumpJob
  readonly #signal: AbortSignal
  readonly #open: Session[] = []

  constructor(job: DumpJob, signal: AbortSignal) {
    this.#job = job
    this.#signal = signal
  }

  async open(): Promise<Session> {
    const { parts, database, tag } = this.#job
    const session = await openSession(parts.connection, {
      database,
      applicationName: tag,
      signal: this.#signal,
    })
    this.#open.push(session)
    return session
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((session) => session.close()))
  }
}

/** What is known when everything is over. */
interface Finished {
  readonly tools: ClientTools
  readonly pinned: PinnedMoment
  readonly source: SourceDescription
  readonly digest: Digest
  readonly counted: Counted
}

/** One of several attempts, if others keep taking tables for themselves. */
interface Attempt {
  readonly tools: ClientTools
  readonly pinned: PinnedMoment
  readonly sessions: readonly [Session, ...Session[]]
}

class DatabaseDump {
  readonly #job: DumpJob
  readonly #sessions: DumpSessions
  /** Ends all sessions. */
  readonly #end: AbortController
  readonly #warnings = new ToolWarnings()

  constructor(job: DumpJob, sessions: DumpSessions, end: AbortController) {
    this.#job = job
    this.#sessions = sessions
    this.#end = end
  }

  async run(first: Session, signal: AbortSignal): Promise<DumpSummary> {
    const { parts, request } = this.#job
    const tools = await parts.toolbox.toolsFor(first.serverVersion)
    await requireGlobals(first, request.globals)
    const more = request.counting === 'exact' ? parts.patience.parallel - 1 : 0
    const others = await Promise.all(Array.from({ length: Math.max(0, more) }, () => this.#sessions.open()))
    const sessions = [first, ...others] as const
    const lost = AbortSignal.any([signal, ...sessions.map((session) => session.lost)])
    // sessions know no signal but their own
    lost.addEventListener('abort', () => this.#end.abort(lost.reason), { once: true })
    const giveUpAt = performance.now() + parts.connection.lockTimeoutMs
    for (;;) {
      const pinned = await this.#pin(sessions, giveUpAt, lost)
      const done = await this.#dumpPinned({ tools, pinned, sessions }, lost)
      if (done !== null) return await this.#finish(first, done, signal)
      await letGo(sessions)
      if (performance.now() >= giveUpAt) throw overtaken()
    }
  }

  async #pin(
    sessions: readonly [Session, ...Session[]],
    giveUpAt: number,
    signal: AbortSignal,
  ): Promise<PinnedMoment> {
    const { parts, request } = this.#job
    const [row] = await sessions[0].query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby')
    const hasRows = (relation: Relation) => row?.standby !== true || !relation.unlogged
    const { filter } = request
    return await pinMoment({ sessions, filter, hasRows, giveUpAt, now: parts.context.now }, signal)
  }

  /** Null if somebody else wanted a table for himself before pg_dump had it. */
  async #dumpPinned(attempt: Attempt, signal: AbortSignal): Promise<Finished | null> {
    const { tools, pinned, sessions } = attempt
    await requireWhole(sessions[0], pinned.selection)
    const source = await describeSource(sessions[0], pinned)
    // a standby has no rows of unlogged tables, and pg_dump would fail at them
    const withoutRows = source.leftOut?.rowsOf.length ? ['--no-unlogged-table-data'] : []
    const leftOut = [...filterArguments(pinned.selection), ...withoutRows]
    const filter = [...leftOut, encodingArgument(source.facts, leftOut)]
    const { snapshot } = pinned
    const dump = await startPgDump(
      { ...this.#job, tools, filter, snapshot, warnings: this.#warnings },
      signal,
    )
    try {
      const dumped = pinned.relations.filter(pinned.selection.isDumped)
      const wait = { tag: this.#job.tag, sessions, dumped, ended: dump.ended }
      if ((await awaitLocks(wait, signal)) === 'overtaken') return null
      const [digest, counted] = await together(signal, (both) => {
        both.addEventListener('abort', () => this.#end.abort(both.reason), { once: true })
        return this.#dumpAndCount(dump, pinned, both)
      })
      return { tools, pinned, source, digest, counted }
    } catch (error) {
      // what was ended because of it fails in ways of its own
      throw signal.aborted ? cancellation(signal) : error
    } finally {
      await dump.stop()
    }
  }

  #dumpAndCount(dump: PgDump, pinned: PinnedMoment, signal: AbortSignal) {
    const { request } = this.#job
    const totalObjects = pinned.shares.reduce((sum, { tables }) => sum + tables.length, 0)
    let objects = 0
    const onBytes = (bytes: number) => {
      request.onProgress(request.counting === 'exact' ? { bytes, objects, totalObjects } : { bytes })
    }
    const onCounted = () => {
      objects += 1
    }
    return [dump.finish(onBytes, signal), countPinned(pinned, request.counting, onCounted, signal)] as const
  }

  async #finish(first: Session, done: Finished, signal: AbortSignal): Promise<DumpSummary> {
    const { request } = this.#job
    const { tools, pinned, source, digest, counted } = done
    await first.query('COMMIT')
    const sequences = sequenceRanges(source.sequences, await readSequencesAgain(first))
    const globals = await dumpGlobals(
      { ...this.#job, tools, warnings: this.#warnings },
      request.globals,
      signal,
    )
    const { serverVersion } = first
    const contents = writeContents({
      v: 1,
      serverVersion,
      database: settingsOf(source.facts),
      ...source.needed,
      digests: counted.digests,
      sequences,
      leftOut: source.leftOut,
    })
    const { leftOut } = source
    return {
      ...digest,
      rowCounts: counted.rowCounts,
      counting: request.counting,
      serverVersion: versionText(serverVersion),
      toolVersion: tools.versionText,
      // rounded down: a backup never claims to be younger than it is
      consistentAt: new Date(Math.floor(pinned.at)).toISOString(),
      details: {
        ...detailsOf(source.facts),
        ...(leftOut === null ? {} : { leftOut: describeLeftOut(leftOut) }),
      },
      warnings: [...source.warnings, ...this.#warnings.list()],
      attachments: [source.settings, contents, ...globals],
    }
  }
}

function overtaken(): AppError {
  return new AppError('DATABASE_LOCKED', 'other sessions took tables for themselves all the time', {
    hint: 'they emptied, changed or refreshed tables: back up at a quieter time, or raise lock_timeout in the URL',
  })
}
