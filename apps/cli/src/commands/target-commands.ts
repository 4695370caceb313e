import type { Command } from 'commander'
import type { ListOptions } from '../collect-pages.ts'
import type { Host } from '../host.ts'
import type { Session } from '../session.ts'
import type { AddTargetOptions } from '../target/add.ts'
import {
  choice,
  collectLabel,
  collectNames,
  collectWord,
  group,
  positiveInteger,
  runs,
  withDumpOptions,
  withEnvironment,
  withListOptions,
  yesOption,
} from './command.ts'

/** `holdfast target …` */
export function addTargetCommands(program: Command, host: Host): void {
  const target = group(program, 'target', 'Databases under protection')
  addAdding(target, host)

  const list = target.command('list').description('List the targets, with the newest backup of each')
  withListOptions(withEnvironment(list, 'only targets of this environment'))
  runs<ListOptions>(list, host, async (session, _words, options) => {
    const { listTargets } = await import('../target/list.ts')
    await listTargets(session, options)
  })

  const show = target.command('show').description('Show one target').argument('<name>')
  runs(withEnvironment(show, GUARD), host, async (session, [name = '']) => {
    const { showTarget } = await import('../target/show.ts')
    await showTarget(session, name)
  })

  const check = target
    .command('check')
    .description('Have the service connect to a target, and show what is there')
    .argument('<name>')
  runs(withEnvironment(check, GUARD), host, async (session, [name = '']) => {
    const { checkTarget } = await import('../target/check.ts')
    await checkTarget(session, name)
  })

  const remove = target
    .command('remove')
    .description('Remove a target; its backups stay, its name can never be used again')
    .argument('<name>')
    .addOption(yesOption())
  runs<{ yes?: boolean }>(withEnvironment(remove, GUARD), host, async (session, [name = ''], options) => {
    const { removeTarget } = await import('../target/remove.ts')
    await removeTarget(session, name, options)
  })
}

/** What `--env` means where one thing is named. */
export const GUARD = 'refuse if it belongs to another environment'

function addAdding(target: Command, host: Host): void {
  const add = target
    .command('add')
    .description('Register a database')
    .argument('<name>', 'lower-case, up to 63 characters; it never changes')
    .argument('[url]', 'e.g. sqlite:///srv/data/shop.db; one with a password only by --url-file')
    .option('--url-file <file>', 'file that holds the URL; - reads it from standard input')
    .option('--env <name>', 'the environment that it belongs to, e.g. production')
    .option('--label <key=value>', 'label, any number of times', collectLabel)
    .option(
      '--include <directory>',
      'directory (absolute) stored with each backup, any number of times',
      collectWord,
    )
    .addOption(choice('--compression <codec>', 'default of its backups', ['zstd', 'gzip', 'none']))
    .addOption(
      choice('--verify <level>', 'how deep each backup is verified', ['checksum', 'structure', 'restore']),
    )
    .option(
      '--databases <names>',
      'of a server: only these databases; * and ? stand for any letters',
      collectNames,
    )
    .option('--exclude-databases <names>', 'of a server: all databases but these', collectNames)
    .option(
      '--parallel <count>',
      'of a server: databases backed up at the same time (default: 2)',
      positiveInteger,
    )
    .option('--drill-on <target>', 'target on whose server drills make their scratch databases')
    .addHelpText(
      'after',
      `
A URL without a database names a server: each backup of it is one of all its databases.

Examples:
  holdfast target add shop sqlite:///srv/data/shop.db --env production
  holdfast target add crm --url-file /run/secrets/crm-url
  holdfast target add main postgres://backup@db.example.org/ --databases 'shop*,crm' --exclude-databases '*_test'`,
    )
  withDumpOptions(add)
  const action = async (
    session: Session,
    [name = '', url]: readonly string[],
    { env: _env, ...options }: AddTargetOptions & { env?: string },
  ) => {
    const { addTarget } = await import('../target/add.ts')
    await addTarget(session, name, url, options)
  }
  runs(add, host, action)
}
