import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { Host } from '../host.ts'
import type { CommonOptions, Session } from '../session.ts'
import { createSession } from '../session.ts'

/** Carries out a command. Its module is loaded only when it is needed. */
export type Action<Options> = (session: Session, words: readonly string[], options: Options) => Promise<void>

/** Ends the description of a command with what it does. */
export function runs<Options extends object>(command: Command, host: Host, action: Action<Options>): Command {
  return command.action(async () => {
    const session = createSession(host, command.optsWithGlobals<CommonOptions>())
    await action(session, command.args, command.opts<Options>())
  })
}

/** Adds what every command understands, before its name or after it. */
export function withCommonOptions(program: Command): Command {
  return program
    .option('--json', 'print JSON on standard output, and errors as JSON on standard error')
    .option('--url <url>', 'the service (default: HOLDFAST_URL, else http://127.0.0.1:8420)')
    .option(
      '--key-file <file>',
      'file that holds the API key (default: HOLDFAST_API_KEY or HOLDFAST_API_KEY_FILE)',
    )
    .configureHelp({ showGlobalOptions: true })
}

/** Adds `--env`, for commands that know environments. */
export function withEnvironment(command: Command, meaning: string): Command {
  return command.option('--env <name>', meaning)
}

/** Adds what every command that asks for work has. */
export function withWorkOptions(command: Command): Command {
  return command
    .option('--no-wait', 'return at once with the operation, instead of waiting for its end')
    .option('--idempotency-key <key>', 'a repetition with the same key is the same request')
}

/** Adds how much of a list is wanted. */
export function withListOptions(command: Command): Command {
  return command
    .option('--limit <count>', 'how many to show (default: 50)', positiveInteger)
    .option('--all', 'show all of them')
    .option('--cursor <cursor>', 'go on after a page: its "nextCursor" in the JSON output')
}

export function yesOption(): Option {
  return new Option('-y, --yes', 'do not ask for confirmation')
}

export function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, description).choices(choices)
}

/** For `--label key=value`, given any number of times. */
export function collectLabel(
  word: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = word.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('write it as key=value')
  return { ...before, [word.slice(0, at)]: word.slice(at + 1) }
}

/** For options given any number of times. */
export function collectWord(word: string, before: readonly string[] = []): string[] {
  return [...before, word]
}

/** For options that hold a count. */
export function positiveInteger(word: string): number {
  const value = Number(word)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('it must be a whole number of at least 1')
}

/** For lists of names, separated by commas or given any number of times. */
export function collectNames(word: string, before: readonly string[] = []): string[] {
  const names = word.split(',').map((name) => name.trim())
  return [...before, ...names.filter((name) => name !== '')]
}

/** Adds how a dump is made, for targets and for single backups. */
export function withDumpOptions(command: Command): Command {
  return command
    .option(
      '--format <name>',
      "a format of the engine, e.g. custom, plain, directory or tar (default: the engine's)",
    )
    .addOption(
      choice('--counting <how>', 'how rows are counted (default: exact)', ['exact', 'estimate', 'off']),
    )
    .addOption(
      choice('--globals [which]', 'with roles and other things of the whole server', [
        'with-passwords',
        'without-passwords',
        'none',
      ]).preset('with-passwords'),
    )
    .option(
      '--only <names>',
      'only these schemas, or tables as schema.table; * and ? stand for any letters',
      collectNames,
    )
    .option('--except <names>', 'all but these', collectNames)
}

/** A group of commands, such as `holdfast backup …`. */
export function group(program: Command, name: string, summary: string): Command {
  return program.command(name).description(summary).helpCommand(false)
}
