import { CliError } from './cli-error.ts'
import { EXIT } from './exit-codes.ts'
import type { Session } from './session.ts'
import { printable } from './text/printable.ts'

/** What a person has to agree to. */
export interface Question {
  /** What is about to happen, e.g. `remove target shop`. */
  readonly action: string
  /** What must be typed to agree. */
  readonly expected: string
  /** The answer given in advance. */
  readonly yes: boolean | undefined
}

/** Resolves if the person agrees by typing the name. Without a terminal only `--yes` agrees. */
export async function requireConfirmation(session: Session, question: Question): Promise<void> {
  if (question.yes) return
  if (!session.canAsk) {
    throw new CliError({
      code: 'CONFIRMATION_REQUIRED',
      detail: `a confirmation is needed to ${question.action}, and there is no terminal to ask on`,
      hint: 'add --yes if you mean it',
      exitCode: EXIT.refused,
    })
  }
  const expected = printable(question.expected)
  const answer = await ask(session, `To ${question.action}, type ${expected} and press Enter: `)
  if (answer.trim() === question.expected) return
  throw new CliError({
    code: 'NOT_CONFIRMED',
    detail: `that was not '${expected}': nothing was changed`,
    exitCode: EXIT.refused,
  })
}

async function ask({ host }: Session, prompt: string): Promise<string> {
  const { createInterface } = await import('node:readline')
  const lines = createInterface({ input: host.stdin, output: host.stderr })
  try {
    const given = await new Promise<string | null>((resolve) => {
      lines.question(prompt, resolve)
      lines.once('SIGINT', () => resolve(null))
      lines.once('close', () => resolve(null))
      host.interrupted.addEventListener('abort', () => resolve(null), { once: true })
    })
    if (given !== null) return given
    // the prompt has left the cursor behind itself
    host.stderr.write('\n')
    throw notAnswered()
  } finally {
    lines.close()
  }
}

function notAnswered(): CliError {
  return new CliError({
    code: 'NOT_CONFIRMED',
    detail: 'interrupted: nothing was changed',
    exitCode: EXIT.interrupted,
  })
}
