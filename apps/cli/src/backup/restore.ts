import type { Backup, Operation, RestoreRequest } from '@holdfast/client'
import { usageError } from '../cli-error.ts'
import { requireConfirmation } from '../confirm.ts'
import { isUrl, readDatabaseUrl } from '../database-url.ts'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import { followOperation, requireCompleted } from '../progress/follow-operation.ts'
import type { Session } from '../session.ts'
import { findTarget } from '../target/find.ts'
import type { LatestOptions } from './find.ts'
import { findBackup } from './find.ts'
import { describeDryRun, describeRestore, dryRunOf } from './restore-report.ts'

export interface RestoreBackupOptions extends WorkCommandOptions, LatestOptions {
  /** A target's name, or a URL. */
  readonly to?: string
  readonly toUrlFile?: string
  /** Of the target that it goes to, if that names a server. */
  readonly database?: string
  /** False after `--no-owner`. */
  readonly owner: boolean
  /** `user@host`, of MySQL and MariaDB. */
  readonly definer?: string
  readonly filesInto?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

type Destination = RestoreRequest['into']

/**
 * Restores a backup. A dry run comes first and is shown; the restore itself needs a person's word, or `--yes`. Where
 * nobody can be asked the dry run is all that happens.
 */
export async function restoreBackup(
  session: Session,
  reference: string,
  options: RestoreBackupOptions,
): Promise<void> {
  const backup = await findBackup(session, reference, options)
  const into = await destinationOf(session, options)
  const { filesInto, owner, definer } = options
  const request = {
    into,
    ...(!owner && { keepOwners: false }),
    ...(definer !== undefined && { definer }),
    ...(filesInto !== undefined && { filesInto }),
  }
  const consent = await consentTo(session, backup, request, options)
  if (consent !== null) await restoreForReal(session, backup, { ...request, ...consent }, options)
}

/** What replacing data needs beside the will to do it. */
type Consent = Pick<RestoreRequest, 'overwrite' | 'confirm'>

/** Null if nothing but the dry run is to happen; it was shown then. */
async function consentTo(
  session: Session,
  backup: Backup,
  request: RestoreRequest,
  { yes, dryRun, wait }: RestoreBackupOptions,
): Promise<Consent | null> {
  const known = yes && !dryRun ? nameOf(request.into, backup) : null
  // then nothing has to be found out before
  if (known !== null) return { overwrite: true, confirm: known }

  const asksFirst = !dryRun && (yes || session.canAsk)
  const accepted = await session.client.backups.restore(backup.id, request, {
    signal: session.host.interrupted,
  })
  if (!asksFirst) {
    await carryOut(session, accepted, { wait }, describeDryRun)
    const option = dryRun ? 'run it again without --dry-run' : 'run it again with --yes, or on a terminal'
    session.note(`this was a dry run: nothing was changed. To restore, ${option}`)
    return null
  }
  const operation = requireCompleted(await followOperation(session, accepted.id))
  session.note(describeDryRun(operation))
  const { replaces, confirm, destination } = dryRunOf(operation)
  await requireConfirmation(session, {
    action: replaces ? `replace what is in ${destination}` : `restore into ${destination}`,
    expected: replaces ? (confirm ?? 'restore') : 'restore',
    yes,
  })
  return replaces && confirm !== null ? { overwrite: true, confirm } : {}
}

/** What must be repeated to replace what is there, where that is known beforehand. */
function nameOf(into: Destination, backup: Backup): string | null {
  if (!('target' in into)) return null
  if (into.database !== undefined) return into.database
  // a backup of a server's database goes to that database, if its destination is a server too
  return backup.database === null ? into.target : null
}

async function restoreForReal(
  session: Session,
  backup: Backup,
  request: RestoreRequest,
  { wait, idempotencyKey }: WorkCommandOptions,
): Promise<void> {
  const options = { idempotencyKey, signal: session.host.interrupted }
  const accepted = await session.client.backups.restore(backup.id, { ...request, dryRun: false }, options)
  await carryOut(session, accepted, { wait }, (operation: Operation) => describeRestore(backup, operation))
}

async function destinationOf(session: Session, options: RestoreBackupOptions): Promise<Destination> {
  const { to, toUrlFile, database } = options
  if (to === undefined && toUrlFile === undefined) {
    throw usageError(
      'say where to restore to',
      'with --to: the name of a target, or sqlite:///srv/data/copy.db',
    )
  }
  if (to !== undefined && toUrlFile === undefined && !isUrl(to) && !to.includes('/')) {
    const target = await findTarget(session, to)
    return { target: target.name, ...(database !== undefined && { database }) }
  }
  if (database !== undefined) throw usageError('--database is for targets', 'name the database in the URL')
  const url = await readDatabaseUrl(session.host, { word: to, file: toUrlFile, fileOption: '--to-url-file' })
  return { url }
}
