import type { Operation } from '../domain/operation.ts'
import type { Failure } from '../errors.ts'

/** A database of a group, from its discovery on. */
export interface PlannedMember {
  readonly database: string
  /** Chosen before the member is accepted, so that accepting it again makes no second one. */
  readonly operationId: string
  /** Why it could not even be accepted. */
  readonly refused: Failure | null
}

/** What a group has to do, written before the first member is accepted. */
export interface GroupJournal {
  readonly members: readonly PlannedMember[]
  readonly warnings: readonly string[]
}

/** Null if its databases have not been discovered yet. */
export function readGroupJournal({ journal }: Pick<Operation, 'journal'>): GroupJournal | null {
  return journal === null ? null : JSON.parse(journal)
}

export function writeGroupJournal(journal: GroupJournal): string {
  return JSON.stringify(journal)
}
