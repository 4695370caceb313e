import type { DumpRequest, DumpSummary } from '@holdfast/core'
import { AppError, cancellation, throwIfAborted, together } from '@holdfast/core'
import type { ClientTools } from '../client-tools.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import type { OptionFile } from '../option-file.ts'
import { writeOptionFile } from '../option-file.ts'
import { readSchema } from '../schema/read-schema.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'
import { endSessions, holdLock, lockOf } from '../tag.ts'
import { whileServerAnswers } from '../watch-server.ts'
import { countedTables, countSource } from './count-source.ts'
import type { Source } from './describe-source.ts'
import { describeSource } from './describe-source.ts'
import { canDumpEvents, dumpArguments } from './dump-arguments.ts'
import { dumpGlobals, requireGlobals } from './dump-globals.ts'
import { whileNotLocked } from './lock-watch.ts'
import type { MysqlDump } from './mysql-dump.ts'
import { startMysqlDump } from './mysql-dump.ts'
import type { PinnedMoment } from './pin-moment.ts'
import { pinMoment } from './pin-moment.ts'
import { requireAllRows } from './require-all-rows.ts'
import { requirePrivileges } from './require-privileges.ts'
import { requireUnchanged } from './require-unchanged.ts'
import { summarize } from './summarize.ts'
import { tidySessions } from './tidy-sessions.ts'
import { ToolWarnings } from './tool-warnings.ts'

/** One dump that was asked for. */
interface DumpJob {
  readonly parts: MysqlParts
  readonly request: DumpRequest
  readonly schema: string
}

/**
 * Dumps one schema as it is at one moment, at which its rows are counted, too, if that can be had. However it ends,
 * nothing of it goes on on the server.
 */
export async function dumpDatabase(
  parts: MysqlParts,
  request: DumpRequest,
  signal: AbortSignal,
): Promise<DumpSummary> {
  throwIfAborted(signal)
  requirePlain(request)
  const job = { parts, request, schema: schemaOf(parts) }
  const end = new AbortController()
  const sessions = new DumpSessions(job, AbortSignal.any([signal, end.signal]))
  try {
    const first = await sessions.openFirst()
    return await whileServerAnswers(parts, signal, (watched) => {
      watched.addEventListener('abort', () => end.abort(watched.reason), { once: true })
      return new SchemaDump(job, sessions, end).run(first, watched)
    })
  } catch (error) {
    end.abort(error)
    await sessions.close()
    await tidySessions(parts, request.operationId)
    throw signal.aborted ? cancellation(signal) : error
  } finally {
    await sessions.close()
  }
}

function schemaOf({ connection }: MysqlParts): string {
  if (connection.database !== null) return connection.database
  throw new AppError('INVALID_REQUEST', 'the target names a server: a dump is of one database')
}

function requirePlain({ mode, format }: DumpRequest): void {
  if (mode !== 'full') throw new AppError('INVALID_REQUEST', `MySQL has no backups of mode ${mode}`)
  if (format !== 'plain') throw new AppError('INVALID_REQUEST', `MySQL has no format ${format.slice(0, 40)}`)
}

/** The sessions of one dump, which end with a signal, on the server too. */
class DumpSessions {
  readonly #job: DumpJob
  readonly #signal: AbortSignal
  readonly #open: Session[] = []
  #numbered = 0

  constructor(job: DumpJob, signal: AbortSignal) {
    this.#job = job
    this.#signal = signal
  }

  /** What a lost worker left of the same operation would be in the way, and is ended. */
  async openFirst(): Promise<Session> {
    const { parts, request, schema } = this.#job
    const session = await openSession(parts.connection, { schema, signal: this.#signal })
    this.#open.push(session)
    await endSessions(session, request.operationId)
    await holdLock(session, lockOf(request.operationId))
    return session
  }

  async open(): Promise<Session> {
    const { parts, request, schema } = this.#job
    this.#numbered += 1
    const lockName = lockOf(request.operationId, this.#numbered)
    const session = await openSession(parts.connection, { schema, signal: this.#signal, lockName })
    this.#open.push(session)
    return session
  }

  /** Aborted as soon as one of them is lost. */
  lost(): readonly AbortSignal[] {
    return this.#open.map((session) => session.lost)
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map((session) => session.close()))
  }
}

/** What a dump program needs to begin. */
interface Prepared {
  readonly first: Session
  readonly tools: ClientTools
  readonly source: Source
  readonly login: OptionFile
  readonly counting: readonly Session[]
  readonly lock: Session | null
}

class SchemaDump {
  readonly #job: DumpJob
  readonly #sessions: DumpSessions
  /** Ends all sessions. */
  readonly #end: AbortController
  readonly #warnings = new ToolWarnings()
  readonly #started: MysqlDump[] = []

  constructor(job: DumpJob, sessions: DumpSessions, end: AbortController) {
    this.#job = job
    this.#sessions = sessions
    this.#end = end
  }

  async run(first: Session, signal: AbortSignal): Promise<DumpSummary> {
    const { parts, request, schema } = this.#job
    const { briefLock } = parts.connection
    const isCounted = request.counting === 'exact'
    const tools = await parts.toolbox.toolsFor(first.server)
    await requirePrivileges(first, { schema, briefLock: briefLock && isCounted })
    await requireAllRows(first)
    await requireGlobals(first, request.globals)
    const source = await describeSource(first, { schema, filter: request.filter, toolVersion: tools.version })
    const counting = isCounted && countedTables(source).length > 0 ? await this.#openCounting() : []
    const lock = briefLock && counting.length > 0 ? await this.#sessions.open() : null
    const login = await writeOptionFile(parts.connection, request.scratchDir, first.server.flavour)
    try {
      const { lockTimeoutMs } = parts.connection
      const { askEveryMs } = parts.patience
      return await whileNotLocked({ session: first, schema, lockTimeoutMs, askEveryMs }, signal, (watched) =>
        this.#dump({ first, tools, source, login, counting, lock }, watched),
      )
    } finally {
      await Promise.all(this.#started.map((dump) => dump.stop()))
      await login.remove()
    }
  }

  async #openCounting(): Promise<readonly Session[]> {
    const { parallel } = this.#job.parts.patience
    return await Promise.all(Array.from({ length: Math.max(1, parallel) }, () => this.#sessions.open()))
  }

  async #dump(prepared: Prepared, outer: AbortSignal): Promise<DumpSummary> {
    const { first, tools, source, counting } = prepared
    const signal = AbortSignal.any([outer, ...this.#sessions.lost()])
    // sessions know no signal but their own
    signal.addEventListener('abort', () => this.#end.abort(signal.reason), { once: true })
    try {
      const pinned = await this.#pin(prepared, signal)
      const [dumped, counts] = await together(signal, (both) => {
        both.addEventListener('abort', () => this.#end.abort(both.reason), { once: true })
        return this.#dumpAndCount(pinned, source, counting, both)
      })
      requireUnchanged(source, dumped.tables, await readSchema(first, source.schema))
      const globals = await dumpGlobals(first, this.#job.request.globals)
      const toolWarnings = this.#warnings.list()
      return summarize({ session: first, tools, source, pinned, dumped, counts, globals, toolWarnings })
    } catch (error) {
      // what was ended because of it fails in ways of its own
      throw signal.aborted ? cancellation(signal) : error
    }
  }

  async #pin(prepared: Prepared, signal: AbortSignal): Promise<PinnedMoment> {
    const { parts } = this.#job
    const { counting, lock } = prepared
    const pinned = await pinMoment(
      {
        sessions: counting,
        lock,
        lockWithinMs: parts.connection.lockTimeoutMs,
        startDump: () => this.#start(prepared, signal),
        now: parts.context.now,
      },
      signal,
    )
    // the server ends it soon, and that would be the end of everything
    await lock?.close()
    return pinned
  }

  async #start({ first, tools, source, login }: Prepared, signal: AbortSignal): Promise<MysqlDump> {
    const { schema, history, selection } = source
    const leftOut = [...selection.leftOut]
    const args = dumpArguments({
      ...{ server: first.server, version: tools.version, schema, leftOut, history },
      events: canDumpEvents(schema, source.objects.programs),
    })
    const dump = await startMysqlDump(
      {
        program: tools.dump,
        args: [login.argument, ...args],
        sink: this.#job.request.sink,
        warnings: this.#warnings,
      },
      signal,
    )
    this.#started.push(dump)
    return dump
  }

  #dumpAndCount(pinned: PinnedMoment, source: Source, sessions: readonly Session[], signal: AbortSignal) {
    const { counting, onProgress } = this.#job.request
    const totalObjects = countedTables(source).length
    let objects = 0
    const onBytes = (bytes: number) => {
      onProgress(counting === 'exact' ? { bytes, objects, totalObjects } : { bytes })
    }
    const onCounted = () => {
      objects += 1
    }
    const job = { sessions, source, counting, reason: pinned.reason, onCounted }
    return [pinned.dump.finish(onBytes, signal), countSource(job, signal)] as const
  }
}
