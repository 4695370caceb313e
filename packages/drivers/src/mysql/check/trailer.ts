/** The last line, with the date that only some settings write. */
const TRAILER = /(?:^|\n)-- Dump completed(?: on [\d: -]+)?\n$/

/** Whether a text ends as a dump that is whole. */
export function trailerIn(tail: string): boolean {
  return TRAILER.test(tail)
}
