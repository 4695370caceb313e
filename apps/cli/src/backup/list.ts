import type { Backup, BackupFilter } from '@holdfast/client'
import type { ListOptions } from '../collect-pages.ts'
import { collectPages, moreText } from '../collect-pages.ts'
import type { Session } from '../session.ts'
import type { Column } from '../text/table.ts'
import { renderTable } from '../text/table.ts'
import { bytesText, countText, momentText } from '../text/units.ts'
import { statusText } from './describe.ts'

export interface ListBackupsOptions
  extends ListOptions,
    Pick<BackupFilter, 'target' | 'database' | 'group' | 'status' | 'kind' | 'mode' | 'since' | 'until'> {
  readonly label?: string
}

const COLUMNS: readonly Column<Backup>[] = [
  { title: 'id', value: ({ id }) => id },
  { title: 'name', value: ({ name }) => name },
  { title: 'target', value: ({ target }) => target },
  { title: 'database', value: ({ database }) => database },
  { title: 'environment', value: ({ environment }) => environment },
  { title: 'status', value: statusText },
  { title: 'mode', value: ({ mode }) => mode },
  { title: 'kind', value: ({ kind }) => kind },
  { title: 'consistent at', value: ({ consistentAt, createdAt }) => momentText(consistentAt ?? createdAt) },
  { title: 'records', value: ({ recordCount }) => countText(recordCount), alignRight: true },
  { title: 'size', value: ({ sizeBytes }) => bytesText(sizeBytes), alignRight: true },
  { title: 'stored', value: ({ storedBytes }) => bytesText(storedBytes), alignRight: true },
  { title: 'verified', value: ({ verification }) => verification && verifiedText(verification) },
  { title: 'expires', value: ({ pinned, expiresAt }) => (pinned ? 'pinned' : momentText(expiresAt)) },
]

/** Lists backups, newest first. */
export async function listBackups(session: Session, options: ListBackupsOptions): Promise<void> {
  const { client, environment, host } = session
  const { limit: _limit, cursor: _cursor, all: _all, ...filter } = options
  const common = { ...filter, environment, signal: host.interrupted }
  const page = await collectPages((part) => client.backups.list({ ...common, ...part }), options)
  if (session.json) return session.showLine(page)
  if (page.items.length === 0) {
    const isFiltered = environment !== undefined || Object.keys(filter).length > 0
    return session.note(
      isFiltered ? 'no such backups' : 'no backups yet. Take one: holdfast backup create TARGET',
    )
  }
  session.show(page, () => renderTable(COLUMNS, page.items))
  const more = moreText(page)
  if (more !== null) session.note(more)
}

function verifiedText({ level, valid }: NonNullable<Backup['verification']>): string {
  return valid ? level : `NOT (${level})`
}
