import { AppError } from '@holdfast/core'
import { quoteName } from '../quote.ts'
import type { Session } from '../session.ts'
import type { ListedProgram } from './list-programs.ts'
import { listPrograms } from './list-programs.ts'
import { orderViews } from './order-views.ts'
import type { RawText } from './raw-reading.ts'
import { rawText, whileRaw } from './raw-reading.ts'
import { readRoutineGrants } from './routine-grants.ts'
import type { Program, ProgramKind } from './schema-objects.ts'
import { PROGRAM_KINDS } from './schema-objects.ts'

/** All programs of a schema in an order in which they can be created; see `readSchema`. */
export async function readPrograms(session: Session, schema: string): Promise<readonly Program[]> {
  const list = await listPrograms(session, schema)
  const grants = await readRoutineGrants(session, schema)
  const programs: Program[] = []
  await whileRaw(session, schema, async () => {
    for (const program of list) {
      const { text, encoding } = await definitionOf(session, program)
      programs.push({
        ...program,
        createSql: text,
        encoding,
        grants: grants.get(`${program.kind} ${program.name.toLowerCase()}`) ?? [],
      })
    }
  })
  return inCreationOrder(programs)
}

/** Routines first, which nothing need exist for; views after triggers, since they may call and read everything else. */
function inCreationOrder(programs: readonly Program[]): readonly Program[] {
  return PROGRAM_KINDS.flatMap((kind) =>
    kind === 'view' ? orderViews(programs) : programs.filter((program) => program.kind === kind),
  )
}

const COLUMN: Readonly<Record<ProgramKind, string>> = {
  function: 'Create Function',
  procedure: 'Create Procedure',
  package: 'Create Package',
  'package body': 'Create Package Body',
  trigger: 'SQL Original Statement',
  view: 'Create View',
  event: 'Create Event',
}

async function definitionOf(session: Session, { kind, name }: ListedProgram): Promise<RawText> {
  const sql = `SHOW CREATE ${kind.toUpperCase()} ${quoteName(name)}`
  const [row] = await session.query<Record<string, unknown>>(sql)
  const definition = rawText(row?.[COLUMN[kind]])
  if (definition !== null) return definition
  throw new AppError('DATABASE_ACCESS_DENIED', `the definition of ${kind} ${name} may not be read`, {
    hint: 'grant the account SELECT on mysql.proc (MariaDB) or SHOW_ROUTINE (MySQL 8.0.20 and later)',
  })
}
