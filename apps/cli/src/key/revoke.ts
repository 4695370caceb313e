import { requireConfirmation } from '../confirm.ts'
import type { Session } from '../session.ts'

/** Revokes an API key, at once and for ever. */
export async function revokeKey(
  session: Session,
  name: string,
  { yes }: { readonly yes?: boolean },
): Promise<void> {
  await requireConfirmation(session, { action: `revoke key ${name} for ever`, expected: name, yes })
  await session.client.keys.revoke(name, { signal: session.host.interrupted })
  session.show({ revoked: name }, () => `key ${name} is revoked`)
}
