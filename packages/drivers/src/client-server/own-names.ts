import { AppError, isUuid } from '@holdfast/core'

/** What a database of ours on somebody's server is for; the word is in its name. */
export type OwnKind = 'new' | 'old' | 'undone' | 'drill'

const OWN =
  /^holdfast_(new|old|undone|drill)_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/

/**
 * `new`: restored, not visible yet. `old`: what a swap replaced. `undone`: what an undo took away, about to be dropped.
 * `drill`: scratch of a check. Throws INVALID_REQUEST for an id that is no UUID: nothing else becomes part of a name.
 */
export function ownName(kind: OwnKind, operationId: string): string {
  if (isUuid(operationId)) return `holdfast_${kind}_${operationId.replaceAll('-', '')}`
  throw new AppError('INVALID_REQUEST', 'the operation id cannot be part of the name of a database')
}

/** What {@link ownName} made of what; null for names of others. */
export function readOwnName(name: string): { readonly kind: OwnKind; readonly operationId: string } | null {
  const [, kind, ...parts] = OWN.exec(name) ?? []
  if (kind !== 'new' && kind !== 'old' && kind !== 'undone' && kind !== 'drill') return null
  return { kind, operationId: parts.join('-') }
}
