import type { ApiKey } from '@holdfast/client'
import type { Session } from '../session.ts'
import type { Column } from '../text/table.ts'
import { renderTable } from '../text/table.ts'
import { momentText } from '../text/units.ts'

const COLUMNS: readonly Column<ApiKey>[] = [
  { title: 'name', value: ({ name }) => name },
  { title: 'role', value: ({ role }) => role },
  { title: 'created', value: ({ createdAt }) => momentText(createdAt) },
  { title: 'last used', value: ({ lastUsedAt }) => momentText(lastUsedAt) },
  { title: 'revoked', value: ({ revokedAt }) => momentText(revokedAt) },
]

/** Lists the API keys that the catalog knows, revoked ones included. */
export async function listKeys(session: Session): Promise<void> {
  const items = await session.client.keys.list({ signal: session.host.interrupted })
  if (session.json) return session.showLine({ items })
  if (items.length === 0) return session.note('no keys. Make one: holdfast key create NAME --role operator')
  session.show({ items }, () => renderTable(COLUMNS, items))
}
