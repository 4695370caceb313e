import { CommanderError } from 'commander'
import { CliError, usageError } from './cli-error.ts'
import type { ExitCode } from './exit-codes.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import type { Host } from './host.ts'
import { createProgram } from './program.ts'
import { reportError } from './report-error.ts'

/** Carries out one command line and resolves with the exit status. Whatever goes wrong is told on stderr. */
export async function runCli(host: Host): Promise<ExitCode> {
  const program = createProgram(host)
  try {
    await program.parseAsync([...host.args], { from: 'user' })
    return EXIT.done
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return EXIT.done
    // the help for a command that is not complete was shown already
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') return EXIT.usage
    const error = host.interrupted.aborted ? interruptionOf(thrown) : fromCommander(thrown)
    reportError(host, error)
    return exitCodeOf(error)
  }
}

/** Whoever waits for something says himself what an interruption means; elsewhere it only ends the program. */
function interruptionOf(thrown: unknown): unknown {
  if (thrown instanceof CliError) return thrown
  return new CliError({ code: 'INTERRUPTED', detail: 'interrupted', exitCode: EXIT.interrupted })
}

/** The parser's messages carry their own prefix, and a suggestion on a line of its own. */
function fromCommander(thrown: unknown): unknown {
  if (!(thrown instanceof CommanderError)) return thrown
  const [first = '', ...rest] = thrown.message.replace(/^error: /, '').split('\n')
  const suggestion = rest
    .join(' ')
    .trim()
    .replace(/^\(|\)$/g, '')
  return usageError(
    first,
    suggestion === '' ? 'add --help to see what is possible' : suggestion.toLowerCase(),
  )
}
