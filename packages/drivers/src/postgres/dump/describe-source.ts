import type { Attachment } from '@holdfast/core'
import type { Contents, SequenceRange } from '../contents/contents-file.ts'
import { isReadable, listRelations } from '../contents/list-relations.ts'
import { readSequences } from '../contents/sequences.ts'
import { tableKey } from '../contents/table-names.ts'
import { sqlStateOf } from '../failure.ts'
import type { Session } from '../session.ts'
import type { DatabaseFacts } from './database-facts.ts'
import { readDatabaseFacts } from './database-facts.ts'
import { describeLeftOut, leftOutOf } from './left-out.ts'
import type { NeededObjects } from './needed-objects.ts'
import { neededObjects } from './needed-objects.ts'
import type { PinnedMoment } from './pin-moment.ts'
import { ILLEGIBLE, settingsScript } from './settings-script.ts'

type Sequences = ReadonlyMap<string, SequenceRange['before']>

/** What goes beside a dump and is not counted. */
export interface SourceDescription {
  readonly facts: DatabaseFacts
  readonly needed: NeededObjects
  readonly settings: Attachment
  readonly sequences: Sequences
  readonly leftOut: Contents['leftOut']
  readonly warnings: readonly string[]
}

/** Reads what the pinned moment shows of the database as a whole. */
export async function describeSource(session: Session, pinned: PinnedMoment): Promise<SourceDescription> {
  const { relations, selection } = pinned
  const facts = await readDatabaseFacts(session)
  const unlogged = facts.isStandby
    ? relations.filter(
        (relation) => relation.unlogged && relation.kind === 'r' && selection.isDumped(relation),
      )
    : []
  const leftOut = leftOutOf(
    selection,
    unlogged.map(({ schema, name }) => tableKey(schema, name)),
  )
  const settings = await settingsScript(session, facts)
  return {
    facts,
    needed: await neededObjects(session, selection),
    settings,
    sequences: await readSequences(session, relations.filter(selection.isDumped)),
    leftOut,
    warnings: [...warningsOf(pinned, leftOut), ...illegible(settings), ...(await hiddenDamage(session))],
  }
}

/** With these on, damaged pages are read as if they were empty, or as they are: the dump fails at none of them. */
const HIDES_DAMAGE = `
  SELECT name FROM pg_settings WHERE name IN ('ignore_checksum_failure', 'zero_damaged_pages') AND setting = 'on'
  ORDER BY name`

async function hiddenDamage(session: Session): Promise<readonly string[]> {
  const rows = await session.query<{ name: string }>(HIDES_DAMAGE)
  return rows.map(
    ({ name }) => `${name} is on: rows in damaged pages can be missing or wrong without an error`,
  )
}

function illegible({ content }: Attachment): readonly string[] {
  if (!content.includes(ILLEGIBLE)) return []
  return ['the comment or a setting of the database is in no known encoding, and is left out of its settings']
}

function warningsOf({ relations, selection }: PinnedMoment, leftOut: Contents['leftOut']): readonly string[] {
  const unreadable = relations.filter((relation) => !isReadable(relation)).length
  return [
    ...(leftOut === null ? [] : [`left out: ${describeLeftOut(leftOut)}`]),
    ...selection.idle.map(
      (pattern) => `the filter excludes ${pattern.slice(0, 100)}, which the database does not have`,
    ),
    ...(unreadable === 0
      ? []
      : [
          `${unreadable} tables and the like have names in no known encoding: they are in the dump but were not counted`,
        ]),
  ]
}

const ATTEMPTS = 3
const NO_SUCH_TABLE = '42P01'

/** Where sequences are now that the dump is over, in no transaction; those that are gone by now are left out. */
export async function readSequencesAgain(session: Session): Promise<Sequences> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readSequences(session, await listRelations(session))
    } catch (error) {
      if (sqlStateOf(error) !== NO_SUCH_TABLE || attempt === ATTEMPTS) throw error
    }
  }
}
