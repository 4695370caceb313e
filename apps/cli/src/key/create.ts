import type { Role } from '@holdfast/client'
import type { Session } from '../session.ts'

/** Makes an API key and shows it, this once. */
export async function createKey(
  session: Session,
  name: string,
  { role }: { readonly role: Role },
): Promise<void> {
  const key = await session.client.keys.create({ name, role }, { signal: session.host.interrupted })
  session.show(key, () => key.key)
  session.note(
    `this is the only time that key ${name} (${role}) is shown: keep it where only its owner can read it`,
  )
}
