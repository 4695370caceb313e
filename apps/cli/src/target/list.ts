import type { Target } from '@holdfast/client'
import type { ListOptions } from '../collect-pages.ts'
import { collectPages, moreText } from '../collect-pages.ts'
import type { Session } from '../session.ts'
import type { Column } from '../text/table.ts'
import { labelsText, renderTable } from '../text/table.ts'
import type { Newest } from './newest-backups.ts'
import { newestBackups, newestText } from './newest-backups.ts'

type Row = Target & { readonly newest: Newest | undefined }

const COLUMNS: readonly Column<Row>[] = [
  { title: 'name', value: ({ name }) => name },
  { title: 'engine', value: ({ engine }) => engine },
  { title: 'environment', value: ({ environment }) => environment },
  { title: 'newest backup', value: ({ newest }) => (newest === undefined ? 'none' : newestText(newest)) },
  { title: 'url', value: ({ url }) => url },
  { title: 'labels', value: ({ labels }) => labelsText(labels) },
]

/** Lists the databases under protection. */
export async function listTargets(session: Session, options: ListOptions): Promise<void> {
  const { client, environment, host } = session
  const signal = host.interrupted
  const page = await collectPages((part) => client.targets.list({ ...part, environment, signal }), options)
  if (session.json) return session.showLine(page)
  if (page.items.length === 0) {
    const where = environment === undefined ? '' : ` in ${environment}`
    return session.note(
      `no targets${where}. Register one: holdfast target add NAME sqlite:///absolute/path.db`,
    )
  }
  const newest = newestBackups(await client.stats({ signal }))
  const rows = page.items.map((target) => ({ ...target, newest: newest.get(target.name) }))
  session.show(page, () => renderTable(COLUMNS, rows))
  const more = moreText(page)
  if (more !== null) session.note(more)
}
