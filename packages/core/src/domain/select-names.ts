import type { DumpFilter } from './backup.ts'

/** What a filter makes of the names that there are. */
export interface Selection {
  readonly names: readonly string[]
  /** Patterns that were to include something and match nothing. */
  readonly unmatched: readonly string[]
}

/**
 * The names that a filter selects, in order. A name that is included without `*` and `?` is selected although it is
 * not there: leaving it out silently is not what was asked for.
 */
export function selectNames(present: readonly string[], filter: Partial<DumpFilter> = {}): Selection {
  const { include = [], exclude = [] } = filter
  const named = include.filter((pattern) => !/[*?]/.test(pattern))
  const wanted =
    include.length === 0
      ? present
      : [...named, ...present.filter((name) => include.some((pattern) => matchesName(pattern, name)))]
  const names = wanted.filter((name) => !exclude.some((pattern) => matchesName(pattern, name)))
  const unmatched = include.filter(
    (pattern) => !named.includes(pattern) && !present.some((name) => matchesName(pattern, name)),
  )
  return { names: [...new Set(names)].toSorted(), unmatched }
}

/** True if a name is what a pattern says; `*` stands for any letters, `?` for one. Takes bounded time for every pattern. */
export function matchesName(pattern: string, name: string): boolean {
  const [wanted, letters] = [[...pattern], [...name]]
  let at = 0
  /** Where to go on if what follows the last star does not fit: one letter more for the star. */
  let retry: { readonly at: number; readonly index: number } | null = null
  let index = 0
  while (index < letters.length) {
    if (wanted[at] === '*') {
      retry = { at, index }
      at += 1
    } else if (wanted[at] === '?' || (at < wanted.length && wanted[at] === letters[index])) {
      at += 1
      index += 1
    } else if (retry !== null) {
      retry = { at: retry.at, index: retry.index + 1 }
      at = retry.at + 1
      index = retry.index
    } else {
      return false
    }
  }
  return wanted.slice(at).every((letter) => letter === '*')
}
