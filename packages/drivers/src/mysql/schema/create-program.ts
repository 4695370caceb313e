import type { Session } from '../session.ts'
import type { ProgramPlace, Statement } from './program-statements.ts'
import { createStatements, resetStatements } from './program-statements.ts'
import type { Program } from './schema-objects.ts'

/** Makes a program again. The session has its own settings back afterwards, also if that fails. */
export async function createProgram(session: Session, program: Program, place: ProgramPlace): Promise<void> {
  try {
    for (const statement of createStatements(program, { server: session.server, ...place }))
      await runStatement(session, statement)
  } catch (error) {
    await reset(session, program, place)
    throw error
  }
}

/** Runs a statement as the bytes that it stands for. */
export async function runStatement(session: Session, { sql, encoding }: Statement): Promise<void> {
  await session.query(sql, [], { encoding })
}

async function reset(session: Session, program: Program, place: ProgramPlace): Promise<void> {
  for (const statement of resetStatements(program, place)) {
    // a session that is gone needs no settings, and the first error says more than this one
    await runStatement(session, statement).catch(() => {})
  }
}
