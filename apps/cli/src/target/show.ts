import type { Backup } from '@holdfast/client'
import { HoldfastError } from '@holdfast/client'
import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { momentText } from '../text/units.ts'
import { targetDetails } from './describe.ts'
import { findTarget } from './find.ts'

/** Shows one target and, to people, its newest usable backup. */
export async function showTarget(session: Session, name: string): Promise<void> {
  const target = await findTarget(session, name)
  if (session.json) return session.showLine(target)
  const newest = await newestBackup(session, name)
  const backup = newest === null ? 'none' : `${momentText(newest.consistentAt)}  ${newest.id}`
  session.show(target, () => renderDetails([...targetDetails(target), ['newest backup', backup]]))
  if (newest === null) session.note(`next: holdfast backup create ${name}`)
}

async function newestBackup({ client, host }: Session, name: string): Promise<Backup | null> {
  try {
    return await client.backups.latest(name, { signal: host.interrupted })
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'BACKUP_NOT_FOUND') return null
    throw error
  }
}
