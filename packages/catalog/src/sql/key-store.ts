import type { ApiKey, KeyStore } from '@holdfast/core'
import { AppError, isoNow, uuidv7 } from '@holdfast/core/domain'
import { toApiKey } from './rows.ts'
import type { Session } from './session.ts'

type NewKey = Parameters<KeyStore['add']>[0]

const REMEMBER_USE_MS = 60_000

/** API keys by the hash of what their owner holds. A revoked name is free again, a revoked key never is. */
export function createKeyStore(session: Session): KeyStore {
  return {
    add: (key) => addKey(session, key),
    find: (sha256) => findKey(session, sha256),
    async list() {
      const rows = await session.run((db) =>
        db.selectFrom('api_keys').selectAll().orderBy('created_at').orderBy('id').execute(),
      )
      return rows.map(toApiKey)
    },
    revoke: (name) => revokeKey(session, name),
  }
}

async function addKey(session: Session, key: NewKey): Promise<ApiKey> {
  const values = {
    id: uuidv7(session.clock.now()),
    name: key.name,
    role: key.role,
    sha256: key.sha256,
    created_at: isoNow(session.clock),
    last_used_at: null,
    revoked_at: null,
  }
  const row = await session.run((db) =>
    db
      .insertInto('api_keys')
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst(),
  )
  if (row !== undefined) return toApiKey(row)
  throw new AppError('KEY_EXISTS', `there is a key called ${key.name}, or this key under another name`, {
    hint: 'revoke the old key or choose another name; a key that was revoked cannot be used again',
  })
}

async function findKey(session: Session, sha256: string): Promise<ApiKey | null> {
  const found = await session.run((db) =>
    db
      .selectFrom('api_keys')
      .selectAll()
      .where('sha256', '=', sha256)
      .where('revoked_at', 'is', null)
      .executeTakeFirst(),
  )
  if (found === undefined) return null
  const nowMs = session.clock.now()
  const stale = new Date(nowMs - REMEMBER_USE_MS).toISOString()
  if (found.last_used_at !== null && found.last_used_at > stale) return toApiKey(found)
  const used = await session.run((db) =>
    db
      .updateTable('api_keys')
      .set({ last_used_at: new Date(nowMs).toISOString() })
      .where('id', '=', found.id)
      .where('revoked_at', 'is', null)
      .returningAll()
      .executeTakeFirst(),
  )
  // revoked in between: then it opens nothing any more
  return used === undefined ? null : toApiKey(used)
}

async function revokeKey(session: Session, name: string): Promise<void> {
  const { numUpdatedRows } = await session.run((db) =>
    db
      .updateTable('api_keys')
      .set({ revoked_at: isoNow(session.clock) })
      .where('name', '=', name)
      .where('revoked_at', 'is', null)
      .executeTakeFirst(),
  )
  if (numUpdatedRows === 1n) return
  throw new AppError('KEY_NOT_FOUND', `no key in use is called ${name}`)
}
