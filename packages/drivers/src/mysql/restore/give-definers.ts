import type { Contents } from '../contents/contents-file.ts'
import type { MysqlConnection } from '../mysql-url.ts'
import { createProgram } from '../schema/create-program.ts'
import { orderViews } from '../schema/order-views.ts'
import type { DefinerChoice } from '../schema/program-statements.ts'
import { dropStatement } from '../schema/program-statements.ts'
import { openSession } from '../session.ts'

/**
 * Gives the views of a schema of ours their definers. They were loaded as those of whoever loads, since nobody may
 * make a view over the view of somebody who may not read in this schema, and definers have their rights in the real
 * one alone. For the same reason each is made before those that it reads from.
 */
export async function giveDefiners(
  connection: MysqlConnection,
  schema: string,
  contents: Contents,
  definer: DefinerChoice,
  signal: AbortSignal,
): Promise<void> {
  const views = orderViews(contents.programs).toReversed()
  if (definer === 'current' || views.length === 0) return
  const session = await openSession(connection, { schema, signal })
  try {
    for (const view of views) {
      await session.query(dropStatement(view))
      await createProgram(session, view, { schema, from: contents.schema, definer })
    }
  } finally {
    await session.close()
  }
}
