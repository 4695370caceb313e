import type { Backup } from '@holdfast/client'
import { HoldfastError } from '@holdfast/client'
import { usageError } from '../cli-error.ts'
import type { Session } from '../session.ts'
import { requireEnvironment } from '../session.ts'

/** The word that stands for the newest usable backup. */
const LATEST = 'latest'

/** Which target's newest backup is meant, and of a server which database's. */
export interface LatestOptions {
  readonly target?: string | undefined
  readonly targetDatabase?: string | undefined
}

/** The backup that a command names by id, by name, or as the latest one of a target. */
export async function findBackup(
  session: Session,
  reference: string,
  { target, targetDatabase }: LatestOptions,
): Promise<Backup> {
  const backup = await lookUp(session, reference, { target, targetDatabase })
  requireEnvironment(session, `backup ${backup.id}`, backup.environment)
  if (target !== undefined && backup.target !== target) {
    throw usageError(`backup ${reference} is of ${backup.target}, not of ${target}`)
  }
  return backup
}

async function lookUp(
  { client, host }: Session,
  reference: string,
  { target, targetDatabase }: LatestOptions,
): Promise<Backup> {
  const options = { signal: host.interrupted }
  if (reference !== LATEST) return client.backups.get(reference, options)
  if (target === undefined) throw usageError("'latest' needs to know of which target", `add --target NAME`)
  try {
    return await client.backups.latest(target, { ...options, database: targetDatabase })
  } catch (error) {
    if (targetDatabase !== undefined || !isCode(error, 'INVALID_REQUEST')) throw error
    throw usageError(`the backups of ${target} are of many databases`, 'add --target-database NAME')
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof HoldfastError && error.code === code
}
