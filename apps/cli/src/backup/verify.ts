import type { Operation, VerificationLevel } from '@holdfast/client'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import type { Session } from '../session.ts'
import { findBackup } from './find.ts'

export interface VerifyBackupOptions extends WorkCommandOptions {
  readonly target?: string
  readonly level: VerificationLevel
}

/** Proves a backup once more. */
export async function verifyBackup(
  session: Session,
  reference: string,
  { target, level, wait, idempotencyKey }: VerifyBackupOptions,
): Promise<void> {
  const backup = await findBackup(session, reference, target)
  const options = { idempotencyKey, signal: session.host.interrupted }
  const accepted = await session.client.backups.verify(backup.id, { level }, options)
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
