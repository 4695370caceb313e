import type { NextInLine } from '@holdfast/core'
import type { RawBuilder, SqlBool } from 'kysely'
import { sql } from 'kysely'
import type { Database } from './engine.ts'
import type { Session } from './session.ts'
import type { OperationRow } from './tables.ts'

/*
 * The line of a database: unfinished operations that are not running, by acceptance number. Somebody is in one's way
 * if they were accepted earlier and are parked in the line (`waiting`), or stand before one in the same queue
 * (`queued`, of the same type). An operation queued elsewhere is in nobody's way: no worker may serve that queue.
 * Whoever may not begin yet (`not_before`) is out of line. Work that was handed back half done (`journal`) is in
 * everybody's way, whatever its place: nobody else may meet the database as it lies.
 */

/** True if somebody else must go first. */
export async function isBehind(session: Session, db: Database, row: OperationRow): Promise<boolean> {
  const me = {
    seq: sql`${row.seq}`,
    type: sql`${row.type}`,
    halfDone: row.journal === null ? sql`false` : sql`true`,
  }
  const first = await db
    .selectFrom('operations as other')
    .select('other.id')
    .where('other.lock_key', '=', row.lock_key)
    .where(isInTheWay(session, me))
    .limit(1)
    .executeTakeFirst()
  return first !== undefined
}

/** Who may go next on a database whose lock is free: a parked one first, since nobody else wakes it. */
export async function readNextInLine(
  session: Session,
  db: Database,
  lockKey: string,
): Promise<NextInLine | null> {
  if (await isTaken(session, db, lockKey)) return null
  const me = { seq: sql.ref('me.seq'), type: sql.ref('me.type'), halfDone: sql`(me.journal is not null)` }
  const row = await db
    .selectFrom('operations as me')
    .select(['me.id as id', 'me.type as type', 'me.job_id as jobId'])
    .where('me.lock_key', '=', lockKey)
    .where(sql<SqlBool>`me.state in ('queued', 'waiting')`)
    .where('me.not_before', '<=', session.engine.leaseNow())
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('operations as other')
            .select('other.id')
            .whereRef('other.lock_key', '=', 'me.lock_key')
            .where(isInTheWay(session, me)),
        ),
      ),
    )
    .orderBy(sql`case when me.state = 'waiting' then 0 else 1 end`)
    .orderBy('me.seq')
    .limit(1)
    .executeTakeFirst()
  return row ?? null
}

/** Taken: held under a live lease, or by unfinished work whatever its lease. */
async function isTaken(session: Session, db: Database, lockKey: string): Promise<boolean> {
  const taken = await db
    .selectFrom('target_locks')
    .select('target_locks.operation_id')
    .where('target_locks.lock_key', '=', lockKey)
    .where('target_locks.operation_id', 'is not', null)
    .where((eb) =>
      eb.or([
        eb('lease_until', '>', session.engine.leaseNow()),
        eb.exists(
          eb
            .selectFrom('operations as owner')
            .select('owner.id')
            .whereRef('owner.id', '=', 'target_locks.operation_id')
            .where(sql<SqlBool>`owner.state in ('queued', 'waiting', 'running')`),
        ),
      ]),
    )
    .executeTakeFirst()
  return taken !== undefined
}

/** The rule above, said of `other` (an alias of `operations` on the same lock key). */
function isInTheWay(
  session: Session,
  me: {
    readonly seq: RawBuilder<unknown>
    readonly type: RawBuilder<unknown>
    readonly halfDone: RawBuilder<unknown>
  },
): RawBuilder<SqlBool> {
  const earlier = sql`other.seq < ${me.seq}`
  const inLine = sql`(other.state = 'waiting' or other.type = ${me.type}) and other.not_before <= ${session.engine.leaseNow()}`
  return sql<SqlBool>`other.state in ('queued', 'waiting') and case
    when other.journal is not null then ${earlier} or (not ${me.halfDone} and other.seq <> ${me.seq})
    else ${earlier} and not ${me.halfDone} and ${inLine}
  end`
}
