import { requireConfirmation } from '../confirm.ts'
import type { Session } from '../session.ts'
import { findTarget } from './find.ts'

/** Removes a target from the catalog; its backups stay. */
export async function removeTarget(
  session: Session,
  name: string,
  { yes }: { readonly yes?: boolean },
): Promise<void> {
  await findTarget(session, name)
  await requireConfirmation(session, {
    action: `remove target ${name} (its backups stay, its name can never be used again)`,
    expected: name,
    yes,
  })
  await session.client.targets.remove(name, { signal: session.host.interrupted })
  session.show({ removed: name }, () => `target ${name} is removed; its backups stay`)
}
