import type { BackupOutcome, Failure, Verification, VerificationLevel } from '@holdfast/core'
import { AppError } from '@holdfast/core/domain'
import type { DatabaseTransaction } from './engine.ts'
import { toFlag, toJson } from './rows.ts'
import type { Session } from './session.ts'
import type { BackupRow } from './tables.ts'

/** From the weakest proof to the strongest; each contains the ones before it. */
const LEVELS = ['checksum', 'structure', 'restore'] as const satisfies readonly VerificationLevel[]

/** in_progress → completed, with all that is known of it now. */
export async function completeBackup(
  trx: DatabaseTransaction,
  id: string,
  outcome: Extract<BackupOutcome, { kind: 'completed' }>,
): Promise<void> {
  const { facts, verification, expiresAt } = outcome
  const { numUpdatedRows } = await trx
    .updateTable('backups')
    .set({
      status: 'completed',
      facts: toJson(facts),
      suspicious: toFlag(facts.suspicious),
      size_bytes: facts.sizeBytes,
      stored_bytes: facts.storedBytes,
      consistent_at: facts.consistentAt,
      verification: toJson(verification),
      expires_at: expiresAt,
      error: null,
    })
    .where('id', '=', id)
    .where('status', '=', 'in_progress')
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) {
    throw new AppError('BACKUP_NOT_USABLE', 'only a backup in progress can be completed')
  }
}

/** pending, in_progress → failed. One that has failed already stays as it is. */
export async function failBackup(trx: DatabaseTransaction, id: string, failure: Failure): Promise<void> {
  await trx
    .updateTable('backups')
    .set({ status: 'failed', error: toJson(failure) })
    .where('id', '=', id)
    .where('status', 'in', ['pending', 'in_progress'])
    .execute()
}

/** Remembers a verification, and moves completed ⇄ damaged as it says. */
export async function recordVerification(
  session: Session,
  trx: DatabaseTransaction,
  id: string,
  verification: Verification,
): Promise<void> {
  const row = await trx
    .selectFrom('backups')
    .select(['status', 'damaged_level'])
    .where('id', '=', id)
    .$if(session.engine.lockRows, (query) => query.forUpdate())
    .executeTakeFirst()
  if (row === undefined) return
  await trx
    .updateTable('backups')
    .set({ verification: toJson(verification), ...changeAfter(verification, row) })
    .where('id', '=', id)
    .where('status', '=', row.status)
    .execute()
}

function changeAfter(
  { valid, level }: Verification,
  { status, damaged_level: damagedLevel }: Pick<BackupRow, 'status' | 'damaged_level'>,
): Partial<Pick<BackupRow, 'status' | 'damaged_level'>> {
  if (!valid && status === 'completed') return { status: 'damaged', damaged_level: level }
  if (!valid && status === 'damaged') return { damaged_level: stronger(level, damagedLevel) }
  // a weaker check than the one that found the damage would not have seen it
  if (valid && status === 'damaged' && stronger(level, damagedLevel) === level) {
    return { status: 'completed', damaged_level: null }
  }
  return {}
}

function stronger(level: VerificationLevel, other: VerificationLevel | null): VerificationLevel {
  if (other === null) return level
  return LEVELS.indexOf(level) >= LEVELS.indexOf(other) ? level : other
}
