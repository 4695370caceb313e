import type { Contents } from '../contents/contents-file.ts'
import type { MysqlConnection } from '../mysql-url.ts'
import { createProgram } from '../schema/create-program.ts'
import { orderViews } from '../schema/order-views.ts'
import type { DefinerChoice } from '../schema/program-statements.ts'
import { dropStatement } from '../schema/program-statements.ts'
import type { Program } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { openSession } from '../session.ts'

/** Whose programs are to be. */
export interface Ownership {
  readonly contents: Contents
  readonly definer: DefinerChoice
}

/**
 * Gives the programs of a schema of ours their definers. They were loaded as those of whoever loads, since definers
 * have rights in the real schema alone, and a view cannot be made over the view or the function of somebody who has
 * none. For the same reason views are made before those that they read from, and functions after all of them.
 */
export async function giveDefiners(
  connection: MysqlConnection,
  schema: string,
  { contents, definer }: Ownership,
  signal: AbortSignal,
): Promise<void> {
  const programs = contents.programs.filter(({ kind }) => kind !== 'event')
  if (definer === 'current' || programs.length === 0) return
  const session = await openSession(connection, { schema, signal })
  try {
    const own = await currentAccount(session)
    const isForeign = (program: Program) => (definer === 'keep' ? program.definer : definer.account) !== own
    const foreign = programs.filter(isForeign)
    const place = { schema, from: contents.schema, definer, schemaCollation: contents.collation }
    for (const view of orderViews(foreign).toReversed()) {
      await session.query(dropStatement(view))
      await createProgram(session, view, place)
    }
    const others = foreign.filter(({ kind }) => kind !== 'view')
    // bodies of packages before the packages
    for (const program of others.toReversed()) await session.query(dropStatement(program))
    for (const program of withBodies(others, programs)) await createProgram(session, program, place)
  } finally {
    await session.close()
  }
}

/** A package takes its body along when it is dropped. */
function withBodies(chosen: readonly Program[], all: readonly Program[]): readonly Program[] {
  const packages = new Set(chosen.flatMap(({ kind, name }) => (kind === 'package' ? [name] : [])))
  const isBody = ({ kind, name }: Program) => kind === 'package body' && packages.has(name)
  return all.filter((program) => chosen.includes(program) || isBody(program))
}

async function currentAccount(session: Session): Promise<string> {
  const [row] = await session.query<{ readonly account: string }>('SELECT CURRENT_USER() AS account')
  return row?.account ?? ''
}
