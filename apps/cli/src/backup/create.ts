import type { BackupRequest, Counting, GlobalsChoice } from '@holdfast/client'
import { nameFilter } from '../name-filter.ts'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import type { Session } from '../session.ts'
import { findTarget } from '../target/find.ts'
import { renderDetails } from '../text/table.ts'
import { backupDetails } from './describe.ts'
import { followGroup, isGroup } from './follow-group.ts'

export interface CreateBackupOptions extends WorkCommandOptions {
  readonly database?: string
  readonly name?: string
  readonly mode?: 'full' | 'snapshot'
  readonly format?: string
  readonly counting?: Counting
  readonly globals?: GlobalsChoice
  readonly only?: string[]
  readonly except?: string[]
  readonly kind?: 'manual' | 'pre-migration' | 'pre-restore'
  readonly compression?: 'zstd' | 'gzip' | 'none'
  readonly include?: string[]
  readonly storage?: string
  readonly label?: Record<string, string>
  readonly note?: string
  readonly retain?: string
  readonly verify?: 'checksum' | 'structure' | 'restore'
}

/** Backs up a target: one database, or all of a server. */
export async function createBackup(
  session: Session,
  target: string,
  options: CreateBackupOptions,
): Promise<void> {
  const { client, environment, host } = session
  if (environment !== undefined) await findTarget(session, target)
  const { wait, idempotencyKey } = options
  const request = requestOf(target, options)
  const accepted = await client.backups.request(request, { idempotencyKey, signal: host.interrupted })
  if (isGroup(accepted)) return followGroup(session, accepted, { wait })
  await carryOut(session, accepted, { wait }, async ({ backupId }) => {
    const backup = await client.backups.get(backupId ?? '', { signal: host.interrupted })
    return renderDetails(backupDetails(backup))
  })
}

/** What was not said is left to the target's options. */
function requestOf(target: string, options: CreateBackupOptions): BackupRequest {
  const { wait: _wait, idempotencyKey: _key, label, only, except, ...same } = options
  const filter = nameFilter(only, except)
  return {
    target,
    ...same,
    ...(label !== undefined && { labels: label }),
    ...(filter !== null && { filter }),
  }
}
