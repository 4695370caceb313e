import { readOwnName } from '../client-server/own-names.ts'

export { ownName } from '../client-server/own-names.ts'

/** True for names that only Holdfast gives to schemas. */
export function isOwnName(name: string): boolean {
  return readOwnName(name) !== null
}

/** The id of the operation that a schema of ours belongs to, or null if it is none. */
export function operationOf(name: string): string | null {
  return readOwnName(name)?.operationId ?? null
}
