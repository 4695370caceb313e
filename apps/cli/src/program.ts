import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addBackupCommands } from './commands/backup-commands.ts'
import { runs, withCommonOptions, withEnvironment } from './commands/command.ts'
import { addKeyCommands } from './commands/key-commands.ts'
import { addOperationCommands } from './commands/operation-commands.ts'
import { addTargetCommands } from './commands/target-commands.ts'
import type { Host } from './host.ts'

const AFTER_HELP = `
First steps:
  export HOLDFAST_API_KEY_FILE=~/.holdfast-key     a file that holds the key, readable by you alone
  holdfast target add shop sqlite:///srv/data/shop.db
  holdfast backup create shop
  holdfast backup restore latest --target shop --to sqlite:///srv/data/copy.db

Environment:
  HOLDFAST_URL             the service (default: http://127.0.0.1:8420)
  HOLDFAST_API_KEY         the API key, or
  HOLDFAST_API_KEY_FILE    a file that holds it. No option takes the key itself:
                           everybody on a machine can read the arguments of a process

Exit status:
  0 done  1 failed  2 wrong usage  3 not found  4 refused  5 service unreachable
  6 cancelled  7 conflict or busy  130 interrupted

'holdfast COMMAND --help' and 'holdfast GROUP COMMAND --help' tell more.`

/** Describes the whole command line. What the commands do is loaded when they are called. */
export function createProgram(host: Host): Command {
  const program = withCommonOptions(new Command('holdfast'))
    .description(
      'Back up databases, prove the backups, restore them: the command line of a Holdfast service.',
    )
    .version(manifest.version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .usage('[options] COMMAND')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      // told together with every other failure, also as JSON
      outputError: () => undefined,
      getOutHelpWidth: () => host.stdout.columns || 100,
      getErrHelpWidth: () => host.stderr.columns || 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', AFTER_HELP)

  addTargetCommands(program, host)
  addBackupCommands(program, host)
  addOperationCommands(program, host)
  addKeyCommands(program, host)

  const status = program
    .command('status')
    .description('Whether the service works, what is protected, what is being done')
  runs(withEnvironment(status, 'only targets of this environment'), host, async (session) => {
    const { showStatus } = await import('./status.ts')
    await showStatus(session)
  })
  return program
}
