import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { throwIfAborted } from '@holdfast/core'
import { SAVEPOINT } from '../contents/count-tables.ts'
import { versionName } from '../flavours.ts'
import type { Session } from '../session.ts'
import { takeBriefLock } from './brief-lock.ts'
import { readMark } from './mark.ts'
import type { MysqlDump } from './mysql-dump.ts'

/** One moment that a dump program sees, and our own sessions, too, unless there is a reason. */
export interface PinnedMoment {
  readonly dump: MysqlDump
  /** Milliseconds since 1970, never later than the moment. */
  readonly at: number
  /** Why our sessions may see another moment than the dump has; null if they see the same. */
  readonly reason: string | null
  /** For how long commits may have waited for us; 0 without a lock. */
  readonly stalledMs: number
}

/** What is to see one moment. */
export interface PinRequest {
  /** Sessions that count; empty if nothing is counted at the moment. */
  readonly sessions: readonly Session[]
  /** For a session with a brief lock; null if none is wanted. */
  readonly lock: Session | null
  readonly lockWithinMs: number
  readonly startDump: () => Promise<MysqlDump>
  readonly now: () => number
}

/** What a commit may need between the log and the memory of a server that is busy. */
const SETTLE_MS = 25
/** Pauses before each attempt: a server that has just become quiet tidies up for a while. */
const PAUSES_MS = [0, 100, 400, 1_000] as const
/** So long a lock is held at most while a dump program begins. */
const BEGIN_WITHIN_MS = 3_000

const SNAPSHOT = ['START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', `SAVEPOINT ${SAVEPOINT}`] as const

/**
 * Begins the transactions of our sessions and of a dump program so that they see the same moment. With a brief lock
 * nothing can be committed between them; without one the server's history tells whether anything was, and it is tried
 * some more times. Whoever called stops the dump.
 */
export async function pinMoment(request: PinRequest, signal: AbortSignal): Promise<PinnedMoment> {
  const { sessions, lock } = request
  const [first] = sessions
  if (first === undefined) return { ...(await beginAnyTime(request)), reason: null, stalledMs: 0 }
  if (lock !== null) return await pinLocked(request, lock, signal)
  if ((await readMark(first)) === null) {
    return { ...(await beginAnyTime(request)), reason: tellsNothing(first), stalledMs: 0 }
  }
  return await pinUnlocked(request, first, signal)
}

async function pinUnlocked(request: PinRequest, first: Session, signal: AbortSignal): Promise<PinnedMoment> {
  for (const [index, pauseMs] of PAUSES_MS.entries()) {
    await pause(pauseMs, signal)
    const before = await readMark(first)
    await pause(SETTLE_MS, signal)
    const begun = await beginAnyTime(request)
    const after = await readMark(first)
    if (before !== null && before === after) return { ...begun, reason: null, stalledMs: 0 }
    if (index === PAUSES_MS.length - 1) return { ...begun, reason: COMMITTED, stalledMs: 0 }
    await begun.dump.stop()
    for (const session of request.sessions) await session.query('ROLLBACK')
  }
  throw new Error('there is no attempt at all')
}

async function pinLocked(request: PinRequest, lock: Session, signal: AbortSignal): Promise<PinnedMoment> {
  throwIfAborted(signal)
  const held = await takeBriefLock(lock, request.lockWithinMs)
  const until = performance.now() + BEGIN_WITHIN_MS
  const { inTime, ...begun } = await begin(request, until)
  return { ...begun, reason: inTime ? null : TOO_SLOW, stalledMs: await held.release() }
}

async function beginAnyTime(request: PinRequest): Promise<Omit<Begun, 'inTime'>> {
  const { dump, at } = await begin(request, Number.POSITIVE_INFINITY)
  return { dump, at }
}

interface Begun {
  readonly dump: MysqlDump
  readonly at: number
  readonly inTime: boolean
}

async function begin({ sessions, startDump, now }: PinRequest, until: number): Promise<Begun> {
  const at = now()
  await Promise.all(sessions.map(beginSnapshot))
  const dump = await startDump()
  const begun = dump.begun.then(() => true)
  if (until === Number.POSITIVE_INFINITY) return { dump, at, inTime: await begun }
  const waiting = new AbortController()
  const leftMs = Math.max(0, until - performance.now())
  const late = delay(leftMs, false, { signal: waiting.signal }).catch(() => false)
  const inTime = await Promise.race([begun, late])
  waiting.abort()
  return { dump, at, inTime }
}

async function beginSnapshot(session: Session): Promise<void> {
  for (const statement of SNAPSHOT) await session.query(statement)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => {})
  throwIfAborted(signal)
}

const HINT = 'brief_lock=on in the URL of the target makes them exact'
const COMMITTED = `other sessions of the server committed while the dump began: ${HINT}`
const TOO_SLOW = 'the dump program took too long to begin, and the brief lock was given back'

function tellsNothing({ server: { flavour, version } }: Session): string {
  return `${flavour.name} ${versionName(version)} does not tell whether others commit while the dump begins: ${HINT}`
}
