import type { Backup } from '../domain/backup.ts'
import { AppError } from '../errors.ts'
import type { Catalog } from '../ports/catalog.ts'

/**
 * The newest usable backup of a target. Of a target that names a server there is one of each database: then it must be
 * said which, since whichever happens to be the newest is nothing to restore by.
 */
export async function latestBackup(
  { catalog }: { readonly catalog: Pick<Catalog, 'backups'> },
  target: string,
  database: string | null,
): Promise<Backup> {
  const backup = await catalog.backups.latest(target, database)
  if (backup === null) {
    const what = database === null ? target : `database ${database} of ${target}`
    throw new AppError('BACKUP_NOT_FOUND', `no usable backup of ${what}`)
  }
  if (database !== null || backup.database === null) return backup
  throw new AppError('INVALID_REQUEST', `the backups of ${target} are of many databases`, {
    hint: `say which one with 'database', such as '${backup.database}'`,
  })
}
