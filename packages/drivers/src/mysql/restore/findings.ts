/** What was found about a server: what is missing, what to do about it, and what should be known. */
export interface Findings {
  readonly problems: readonly string[]
  readonly hints: readonly string[]
  readonly warnings: readonly string[]
}

export const NOTHING_FOUND: Findings = { problems: [], hints: [], warnings: [] }

export function problem(text: string, hint: string): Findings {
  return { problems: [text], hints: [hint], warnings: [] }
}

export function warning(text: string): Findings {
  return { problems: [], hints: [], warnings: [text] }
}

export function joined(findings: readonly Findings[]): Findings {
  return {
    problems: findings.flatMap(({ problems }) => problems),
    hints: [...new Set(findings.flatMap(({ hints }) => hints))],
    warnings: findings.flatMap(({ warnings }) => warnings),
  }
}

const MOST_NAMED = 5

/** The first names of a list. */
export function some(names: readonly string[]): string {
  return names.length > MOST_NAMED
    ? `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more`
    : names.join(', ')
}
