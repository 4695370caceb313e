import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { DumpFilter } from '@holdfast/core'
import { AppError, throwIfAborted } from '@holdfast/core'
import type { Share } from '../contents/count-tables.ts'
import { shareOut } from '../contents/count-tables.ts'
import type { Relation } from '../contents/list-relations.ts'
import { listRelations } from '../contents/list-relations.ts'
import { listTables } from '../contents/list-tables.ts'
import { quotedTable } from '../contents/table-names.ts'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'
import { listSchemas } from './list-schemas.ts'
import { findLockHolder } from './lock-holders.ts'
import type { Selection } from './select-relations.ts'
import { EVERYTHING, selectRelations } from './select-relations.ts'

/** One moment of a database, which several sessions see and pg_dump shall see. */
export interface PinnedMoment {
  /** For SET TRANSACTION SNAPSHOT, as long as the transactions of the sessions last. */
  readonly snapshot: string
  /** Milliseconds since 1970, never later than the moment. */
  readonly at: number
  readonly relations: readonly Relation[]
  readonly selection: Selection
  /** What each session counts; it holds the locks of these tables. */
  readonly shares: readonly Share[]
}

/** What to pin, and when to give up. */
export interface PinRequest {
  readonly sessions: readonly [Session, ...Session[]]
  readonly filter: DumpFilter | null
  readonly hasRows: (relation: Relation) => boolean
  /** When to stop trying, as performance.now() has it. */
  readonly giveUpAt: number
  readonly now: () => number
}

const POLL_MS = 200
const LOCKED_AT_ONCE = 500
const NOT_AVAILABLE = '55P03'
/** Tables, schemas or columns that are gone between the snapshot and the lock. */
const GONE: readonly (string | null)[] = ['42P01', '3F000', '42703']

/**
 * Takes a snapshot, and then at once all locks that dumping and counting need, so that nothing in the dump is dropped,
 * rewritten or emptied from then on. Whatever happened to a table in between, or stands in the way of a lock, is
 * waited for with nothing held: neither does the dump hold up others who wait, nor can there be a deadlock. Rejects
 * with DATABASE_LOCKED if that takes too long.
 */
export async function pinMoment(request: PinRequest, signal: AbortSignal): Promise<PinnedMoment> {
  const { sessions, giveUpAt } = request
  for (;;) {
    throwIfAborted(signal)
    const attempt = await tryToPin(request)
    if (attempt.moment !== null) return attempt.moment
    await letGo(sessions)
    if (performance.now() >= giveUpAt) throw await lockedFailure(sessions[0], attempt)
    await delay(POLL_MS, undefined, { signal }).catch(() => throwIfAborted(signal))
  }
}

/** Gives back all locks: the moment is over. */
export async function letGo(sessions: readonly Session[]): Promise<void> {
  for (const session of sessions) await session.query('ROLLBACK')
}

interface Attempt {
  readonly moment: PinnedMoment | null
  /** What was to be locked, if it did not come to it. */
  readonly wanted: readonly Relation[]
  readonly cause: unknown
}

async function tryToPin(request: PinRequest): Promise<Attempt> {
  const { sessions, filter, hasRows, now } = request
  const [first, ...others] = sessions
  const at = now()
  await first.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const [exported] = await first.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot')
  const snapshot = exported?.snapshot ?? ''
  for (const session of others) await joinSnapshot(session, snapshot)
  const relations = await listRelations(first)
  const selection =
    filter === null ? EVERYTHING : selectRelations(filter, await listSchemas(first), relations)
  const { isDumped } = selection
  const wanted = relations.filter(isDumped)
  try {
    const shares = shareOut(await listTables(first, relations, { isDumped, hasRows }), sessions)
    await Promise.all(shares.map(lockShare))
    if (await hasChanged(first, wanted)) return { moment: null, wanted: [], cause: null }
    return { moment: { snapshot, at, relations, selection, shares }, wanted, cause: null }
  } catch (error) {
    const state = sqlStateOf(error)
    if (state !== NOT_AVAILABLE && !GONE.includes(state)) throw error
    return { moment: null, wanted, cause: error }
  }
}

/** Begins a transaction that sees what the one with the snapshot sees. */
async function joinSnapshot(session: Session, snapshot: string): Promise<void> {
  await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  // made of digits and dashes by the server; a parameter is not possible here
  if (!/^[0-9A-F-]{1,64}$/i.test(snapshot)) throw new Error('not the name of a snapshot')
  await session.query(`SET TRANSACTION SNAPSHOT '${snapshot}'`)
}

async function lockShare({ session, tables }: Share): Promise<void> {
  const members = tables.flatMap((table) => table.members)
  for (let at = 0; at < members.length; at += LOCKED_AT_ONCE) {
    const names = members.slice(at, at + LOCKED_AT_ONCE).map((member) => `ONLY ${quotedTable(member)}`)
    await session.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE NOWAIT`)
  }
}

/**
 * Whether something was emptied or rewritten after the snapshot and before the lock: the snapshot would show it empty,
 * which it was not at that moment. The function looks at what is, the columns are of the snapshot.
 */
const CHANGED = `
  SELECT count(*)::int AS changed FROM pg_class c
  WHERE c.oid = ANY ($1::oid[]) AND c.relfilenode <> 0
    AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode`

async function hasChanged(session: Session, dumped: readonly Relation[]): Promise<boolean> {
  const tables = dumped.filter(({ kind }) => kind === 'r').map(({ oid }) => oid)
  const [row] = await session.query<{ changed: number }>(CHANGED, [tables])
  return row === undefined || row.changed > 0
}

async function lockedFailure(session: Session, { wanted, cause }: Attempt): Promise<AppError> {
  if (sqlStateOf(cause) !== NOT_AVAILABLE) {
    return new AppError('DATABASE_LOCKED', 'tables were dropped, emptied or rewritten all the time', {
      hint: 'back up when the structure of the database stands still, or raise lock_timeout in the URL',
      cause,
    })
  }
  const holder = await findLockHolder(session, wanted)
  const where = holder === null ? 'a table' : `table ${holder.table}`
  const who = holder === null ? 'another session' : `another session (process ${holder.pid})`
  return new AppError('DATABASE_LOCKED', `${who} holds a lock on ${where} and did not release it in time`, {
    hint: 'find it in pg_locks, or raise lock_timeout in the URL',
    cause,
  })
}
