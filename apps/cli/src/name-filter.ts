import type { NameFilter } from '@holdfast/client'

/** Two options, such as `--only` and `--except`, as a filter; null if neither was given. */
export function nameFilter(include: string[] | undefined, exclude: string[] | undefined): NameFilter | null {
  if (include === undefined && exclude === undefined) return null
  return { ...(include !== undefined && { include }), ...(exclude !== undefined && { exclude }) }
}
