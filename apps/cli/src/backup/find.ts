import type { Backup } from '@holdfast/client'
import { usageError } from '../cli-error.ts'
import type { Session } from '../session.ts'
import { requireEnvironment } from '../session.ts'

/** The word that stands for the newest usable backup. */
const LATEST = 'latest'

/** The backup that a command names by id, by name, or as the latest one of a target. */
export async function findBackup(
  session: Session,
  reference: string,
  target: string | undefined,
): Promise<Backup> {
  const backup = await lookUp(session, reference, target)
  requireEnvironment(session, `backup ${backup.id}`, backup.environment)
  if (target !== undefined && backup.target !== target) {
    throw usageError(`backup ${reference} is of ${backup.target}, not of ${target}`)
  }
  return backup
}

function lookUp({ client, host }: Session, reference: string, target: string | undefined): Promise<Backup> {
  const options = { signal: host.interrupted }
  if (reference !== LATEST) return client.backups.get(reference, options)
  if (target !== undefined) return client.backups.latest(target, options)
  throw usageError("'latest' needs to know of which target", `add --target NAME`)
}
