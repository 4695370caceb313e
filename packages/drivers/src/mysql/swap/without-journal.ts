import { randomBytes } from 'node:crypto'
import type { TableObject } from '../schema/schema-objects.ts'
import { JOURNAL } from './journal-table.ts'

/** What hidden tables are called: nobody else knows it. */
export function hiddenPrefix(): string {
  return `holdfast_${randomBytes(6).toString('hex')}_`
}

/** The tables of one of our schemas that are not our own. */
export function withoutJournal(tables: readonly TableObject[]): readonly TableObject[] {
  return tables.filter(({ name }) => name !== JOURNAL)
}
