import type { Session } from '../session.ts'

/**
 * How far the server's history has come, as text: if two marks are equal, nothing was committed between them, not by
 * anybody. Null if this server does not tell. It may move although nothing was committed.
 */
export async function readMark(session: Session): Promise<string | null> {
  const variable = markVariableOf(session.server)
  if (variable === null) return null
  const [row] = await session.query<{ Value: string | number }>(`SHOW GLOBAL STATUS LIKE '${variable}'`)
  return row === undefined ? null : String(row.Value)
}

/** The status variable that a server of this version tells it in. */
function markVariableOf({ flavour, version }: Session['server']): string | null {
  return flavour.logPosition.findLast(({ since }) => version >= since)?.variable ?? null
}
