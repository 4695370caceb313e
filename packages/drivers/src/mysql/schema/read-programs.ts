import type { Session } from '../session.ts'
import type { Program } from './schema-objects.ts'

/** All programs of a schema in an order in which they can be created. */
export async function readPrograms(session: Session, schema: string): Promise<readonly Program[]> {
  throw new Error(`not read yet: ${schema} ${session.id}`)
}
