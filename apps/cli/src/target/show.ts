import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { momentText } from '../text/units.ts'
import { targetDetails } from './describe.ts'
import { findTarget } from './find.ts'

/** Shows one target and, to people, its newest usable backup. */
export async function showTarget(session: Session, name: string): Promise<void> {
  const target = await findTarget(session, name)
  if (session.json) return session.showLine(target)
  const newest = await newestOf(session, name)
  session.show(target, () => renderDetails([...targetDetails(target), ...newest]))
  if (newest[0]?.[1] === NONE) session.note(`next: holdfast backup create ${name}`)
}

type Line = readonly [string, string]

const NONE = 'none'

/** The newest usable backup; of a server that of each database. */
async function newestOf({ client, host }: Session, name: string): Promise<readonly Line[]> {
  const options = { signal: host.interrupted }
  const { newest } = await client.stats(options)
  const ofTarget = newest.filter(({ target }) => target === name)
  if (ofTarget.length === 0) return [['newest backup', NONE]]
  return Promise.all(
    ofTarget.map(async ({ database, consistentAt }): Promise<Line> => {
      if (database !== null) return [`newest of ${database}`, momentText(consistentAt)]
      const backup = await client.backups.latest(name, options)
      return ['newest backup', `${momentText(backup.consistentAt)}  ${backup.id}`]
    }),
  )
}
