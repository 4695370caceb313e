import type { Target } from '@holdfast/client'
import type { Session } from '../session.ts'
import { requireEnvironment } from '../session.ts'

/** The target of this name, in the environment that the command line names. */
export async function findTarget(session: Session, name: string): Promise<Target> {
  const target = await session.client.targets.get(name, { signal: session.host.interrupted })
  requireEnvironment(session, `target ${name}`, target.environment)
  return target
}
