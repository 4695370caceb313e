import type { BackupRequest } from '@holdfast/client'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import type { Session } from '../session.ts'
import { findTarget } from '../target/find.ts'
import { renderDetails } from '../text/table.ts'
import { backupDetails } from './describe.ts'

export interface CreateBackupOptions extends WorkCommandOptions {
  readonly name?: string
  readonly mode?: 'full' | 'snapshot'
  readonly kind?: 'manual' | 'pre-migration' | 'pre-restore'
  readonly compression?: 'zstd' | 'gzip' | 'none'
  readonly include?: string[]
  readonly storage?: string
  readonly label?: Record<string, string>
  readonly note?: string
  readonly retain?: string
  readonly verify?: 'checksum' | 'structure' | 'restore'
}

/** Backs up a target. */
export async function createBackup(
  session: Session,
  target: string,
  options: CreateBackupOptions,
): Promise<void> {
  const { client, environment, host } = session
  if (environment !== undefined) await findTarget(session, target)
  const {
    wait,
    idempotencyKey,
    label,
    name,
    mode,
    kind,
    compression,
    include,
    storage,
    note,
    retain,
    verify,
  } = options
  const request: BackupRequest = {
    target,
    ...(name !== undefined && { name }),
    ...(mode !== undefined && { mode }),
    ...(kind !== undefined && { kind }),
    ...(compression !== undefined && { compression }),
    ...(include !== undefined && { include }),
    ...(storage !== undefined && { storage }),
    ...(label !== undefined && { labels: label }),
    ...(note !== undefined && { note }),
    ...(retain !== undefined && { retain }),
    ...(verify !== undefined && { verify }),
  }
  const accepted = await client.backups.request(request, { idempotencyKey, signal: host.interrupted })
  await carryOut(session, accepted, { wait }, async ({ backupId }) => {
    const backup = await client.backups.get(backupId ?? '', { signal: host.interrupted })
    return renderDetails(backupDetails(backup))
  })
}
