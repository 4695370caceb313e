import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { bytesText } from '../text/units.ts'
import { findTarget } from './find.ts'

/** Has the service connect to a target and shows what is there. */
export async function checkTarget(session: Session, name: string): Promise<void> {
  const { client, environment, host } = session
  if (environment !== undefined) await findTarget(session, name)
  const check = await client.targets.check(name, { signal: host.interrupted })
  session.show(check, () =>
    renderDetails([
      ['target', check.target],
      ['version', check.version],
      ['tool', check.toolVersion],
      ['size', bytesText(check.sizeBytes)],
      ['databases', check.databases?.join(', ') ?? null],
      ...Object.entries(check.details).map(([key, value]) => [key, String(value)] as const),
      ...check.warnings.map((warning) => ['warning', warning] as const),
    ]),
  )
}
