import type { OwnKind } from '../../client-server/own-names.ts'
import { readOwnName } from '../../client-server/own-names.ts'
import type { Session } from '../session.ts'

/** A schema with one of our names; whether it is ours, its journal says. */
export interface OwnSchema {
  readonly name: string
  readonly kind: OwnKind
  readonly operationId: string
}

/** All that the account may see. */
export async function listOwnSchemas(session: Session): Promise<readonly OwnSchema[]> {
  const rows = await session.query<{ readonly name: string }>(
    "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'holdfast\\_%' ORDER BY 1",
  )
  return rows.flatMap(({ name }) => {
    const own = readOwnName(name)
    return own === null ? [] : [{ name, ...own }]
  })
}
