import type { AppError } from '@holdfast/core'
import type { Meaning } from '../client-server/tool-failure.ts'
import { toolFailureOf } from '../client-server/tool-failure.ts'
import { meaningOf } from './known-messages.ts'
import { meaningOfRows } from './row-messages.ts'

/** How the programs of both flavours print the number of an error, with what was said. */
const NUMBERED: readonly { readonly pattern: RegExp; readonly number: 1 | 2; readonly said: 1 | 2 }[] = [
  // the client: ERROR 1045 (28000) at line 7: Access denied …
  {
    pattern: /^ERROR (\d{1,5})(?: \([0-9A-Z]{5}\))?(?: at line \d+)?(?: in file: '[^'\n]*')?: ([^\n]*)/m,
    number: 1,
    said: 2,
  },
  // the dump program: Got error: 1045: "Access denied …" when …, and Error 1412: … when dumping table `t` at row: 0
  { pattern: /^\S{1,80}: (?:Got error: |Error:? )(\d{1,5}): ([^\n]*)/m, number: 1, said: 2 },
  // the dump program: Couldn't execute '…': View 'x' references … (1356)
  { pattern: /^\S{1,80}: Couldn't execute '[\s\S]*?': ([^\n]*) \((\d{1,5})\)$/m, number: 2, said: 1 },
]

const TABLE = /when dumping table (`(?:[^`\n]|``){1,200}`)/
const VIEW = /(?:SHOW FIELDS FROM|SHOW CREATE TABLE|SHOW CREATE VIEW) (`(?:[^`\n]|``){1,200}`)/
/** A program's own disk; asked after what the server says of its own. */
const NO_SPACE = /No space left on device|Disk quota exceeded|Errcode: 28\b/
const UNKNOWN_OPTION = /unknown (?:option|variable) '(--)?([a-z][a-z0-9-]{1,60})/

/**
 * The best reason that is known for a tool's end. `what` begins the message, e.g. `mariadb-dump`; nothing but numbers
 * and names of objects is taken from what it printed. Its `cause`, for the log, has no SQL and no data either.
 */
export function failureOfTool(error: unknown, what: string): AppError {
  return toolFailureOf(error, what, { meaningOf: meaningOfOutput, objectIn, withoutData })
}

/** The number that a program printed for an error of the server or of its connection; null if it printed none. */
export function errnoInOutput(printed: string): number | null {
  return numberedIn(printed)?.number ?? null
}

function meaningOfOutput(printed: string): Meaning | null {
  const numbered = numberedIn(printed)
  if (numbered !== null) {
    const { number, said } = numbered
    const known = meaningOf(number, said) ?? meaningOfRows(number, said)
    return known ?? { code: 'TOOL_FAILED', message: `MySQL refused with error ${number}` }
  }
  const option = UNKNOWN_OPTION.exec(printed)?.[2]
  if (option !== undefined) {
    return { code: 'TOOL_TOO_OLD', message: `it does not know the option ${option}` }
  }
  if (NO_SPACE.test(printed)) {
    return { code: 'TEMPORARY_SPACE_FULL', message: 'there is no space left for temporary files' }
  }
  return null
}

function numberedIn(printed: string): { readonly number: number; readonly said: string } | null {
  for (const { pattern, number, said } of NUMBERED) {
    const found = pattern.exec(printed)
    if (found !== null)
      return { number: Number(found[number]), said: (found[said] ?? '').replace(/^"|"$/g, '') }
  }
  return null
}

function objectIn(printed: string): string | null {
  return TABLE.exec(printed)?.[1] ?? VIEW.exec(printed)?.[1] ?? null
}

/** Nothing but the numbers of errors, and the messages of those that are known to name objects only. */
function withoutData(printed: string): string {
  const lines = printed.split('\n').flatMap((line) => {
    const numbered = numberedIn(line)
    if (numbered === null) return []
    const { number, said } = numbered
    return [`error ${number}${meaningOf(number, said) === null ? '' : `: ${said.slice(0, 500)}`}`]
  })
  return lines.join('\n')
}
