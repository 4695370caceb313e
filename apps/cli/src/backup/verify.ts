import type { Operation, VerificationLevel } from '@holdfast/client'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import type { Session } from '../session.ts'
import type { LatestOptions } from './find.ts'
import { findBackup } from './find.ts'

export interface VerifyBackupOptions extends WorkCommandOptions, LatestOptions {
  readonly level: VerificationLevel
}

/** Proves a backup once more. */
export async function verifyBackup(
  session: Session,
  reference: string,
  options: VerifyBackupOptions,
): Promise<void> {
  const { level, wait, idempotencyKey } = options
  const backup = await findBackup(session, reference, options)
  const work = { idempotencyKey, signal: session.host.interrupted }
  const accepted = await session.client.backups.verify(backup.id, { level }, work)
  await carryOut(session, accepted, { wait }, (operation) => {
    const message = messageOf(operation)
    return `backup ${backup.id} of ${backup.target} is sound (${level})${message === null ? '' : `: ${message}`}`
  })
}

function messageOf({ result }: Operation): string | null {
  const verification: unknown = result?.verification
  if (typeof verification !== 'object' || verification === null || !('message' in verification)) return null
  return typeof verification.message === 'string' ? verification.message : null
}
