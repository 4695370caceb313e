import { AppError } from '@holdfast/core'
import { quoteName } from '../quote.ts'
import { quoteAccount } from '../schema/accounts.ts'
import { createProgram } from '../schema/create-program.ts'
import { dropStatement } from '../schema/program-statements.ts'
import type { ProgramKind } from '../schema/schema-objects.ts'
import type { Session } from '../session.ts'
import { giveBack } from './grants.ts'
import { JOURNAL } from './journal-table.ts'
import type { Action, CreateProgram, Step } from './steps.ts'

/**
 * Finds out whether what is about to be removed could be put back, by doing the like of it in a schema of ours: a
 * privilege or setting that is missing must not show when there is no other way out. Rejects with RESTORE_NOT_POSSIBLE.
 */
export async function rehearse(session: Session, schema: string, steps: readonly Step[]): Promise<void> {
  await session.query(`USE ${quoteName(schema)}`)
  const needed = steps.flatMap(({ backward, forward }) => [...backward, ...forward]).filter(isCreation)
  const different = new Map(needed.map((action) => [likenessOf(action), action]))
  for (const action of different.values()) {
    const { kind, name } = action.program
    await attempt(session, `create the ${kind} ${name}`, () => tryOne(session, schema, action))
  }
  for (const { program } of different.values()) {
    // bodies that were tried needed theirs
    if (program.kind === 'package') await session.query(dropStatement(program))
  }
  const old = steps.flatMap(({ backward }) => backward).filter(isCreation)
  for (const { grants, program } of old) {
    for (const grant of grants) {
      // it is there already, so that nothing is changed by this
      const what = `grant privileges on the ${program.kind} ${program.name}`
      await attempt(session, what, () => giveBack(session, grant))
    }
  }
}

/** Routines are tried themselves; of the rest one for each kind and definer. */
function likenessOf({ program, definer }: CreateProgram): string {
  const { kind, name, definer: account, createSql } = program
  return JSON.stringify([kind, definer, STAND_INS.has(kind) ? account : [name, createSql]])
}

function tryOne(session: Session, schema: string, action: CreateProgram): Promise<void> {
  const { kind, definer } = action.program
  if (!STAND_INS.has(kind)) return tryRoutine(session, schema, action)
  if (action.definer === 'current') return tryStandIn(session, kind, null)
  return tryStandIn(session, kind, action.definer === 'keep' ? definer : action.definer.account)
}

async function attempt(session: Session, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof AppError) || error.retryable || session.lost.aborted) throw error
    throw new AppError(
      'RESTORE_NOT_POSSIBLE',
      `nothing was changed, since it could not have been undone: could not ${what}: ${error.message}`,
      { cause: error, ...(error.hint !== null && { hint: error.hint }) },
    )
  }
}

function isCreation(action: Action): action is CreateProgram {
  return action.do === 'create'
}

/** In place of programs that need tables, or that would run. */
const STAND_INS: ReadonlyMap<ProgramKind, string> = new Map([
  ['view', 'VIEW `holdfast~try` AS SELECT 1 AS one'],
  [
    'trigger',
    `TRIGGER \`holdfast~try\` BEFORE DELETE ON ${quoteName(JOURNAL)} FOR EACH ROW SET @holdfast = 1`,
  ],
  [
    'event',
    'EVENT `holdfast~try` ON SCHEDULE EVERY 1 YEAR STARTS CURRENT_TIMESTAMP + INTERVAL 1 YEAR DISABLE DO DO 0',
  ],
])

async function tryStandIn(session: Session, kind: ProgramKind, account: string | null): Promise<void> {
  const definer = account === null ? '' : `DEFINER = ${quoteAccount(account)} `
  await session.query(`CREATE ${definer}${STAND_INS.get(kind) ?? ''}`)
  await session.query(dropStatement({ kind, name: 'holdfast~try' }))
}

async function tryRoutine(session: Session, schema: string, action: CreateProgram): Promise<void> {
  const { program, from, definer } = action
  await session.query(dropStatement(program))
  await createProgram(session, program, { schema, from, definer })
  if (program.kind !== 'package') await session.query(dropStatement(program))
}
