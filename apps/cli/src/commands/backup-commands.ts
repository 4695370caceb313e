import type { ArtifactRole } from '@holdfast/client'
import type { Command } from 'commander'
import type { CreateBackupOptions } from '../backup/create.ts'
import type { DeleteBackupOptions } from '../backup/delete.ts'
import type { DownloadBackupOptions } from '../backup/download.ts'
import type { LatestOptions } from '../backup/find.ts'
import type { ListBackupsOptions } from '../backup/list.ts'
import type { RestoreBackupOptions } from '../backup/restore.ts'
import type { VerifyBackupOptions } from '../backup/verify.ts'
import type { Host } from '../host.ts'
import type { Session } from '../session.ts'
import {
  choice,
  collectLabel,
  collectWord,
  group,
  runs,
  withDumpOptions,
  withEnvironment,
  withListOptions,
  withWorkOptions,
  yesOption,
} from './command.ts'
import { GUARD } from './target-commands.ts'

const ARTIFACTS = [
  'data',
  'files',
  'settings',
  'contents',
  'globals',
] as const satisfies readonly ArtifactRole[]
const LEVELS = ['checksum', 'structure', 'restore']
const STATUSES = ['pending', 'in_progress', 'completed', 'failed', 'expired', 'deleted', 'damaged']
const BACKUP = ['<backup>', "id or name of a backup; 'latest' with --target"] as const
const OF_TARGET = ['--target <name>', "the target of 'latest'"] as const
const OF_DATABASE = [
  '--target-database <name>',
  "the database of 'latest', where its target names a server",
] as const

/** `holdfast backup …` */
export function addBackupCommands(program: Command, host: Host): void {
  const backup = group(program, 'backup', 'Restore points: take, look at, prove, restore')
  addCreating(backup, host)
  addListing(backup, host)

  const show = backup
    .command('show')
    .description('Show one backup')
    .argument(...BACKUP)
    .option(...OF_TARGET)
    .option(...OF_DATABASE)
  runs<LatestOptions>(withEnvironment(show, GUARD), host, async (session, [reference = ''], options) => {
    const { showBackup } = await import('../backup/show.ts')
    await showBackup(session, reference, options)
  })

  const verify = backup
    .command('verify')
    .description('Prove a backup: every stored byte, and what the level asks for')
    .argument(...BACKUP)
    .option(...OF_TARGET)
    .option(...OF_DATABASE)
    .addOption(choice('--level <level>', 'restore is a drill in scratch space', LEVELS).default('restore'))
  withWorkOptions(withEnvironment(verify, GUARD))
  runs<VerifyBackupOptions>(verify, host, async (session, [reference = ''], options) => {
    const { verifyBackup } = await import('../backup/verify.ts')
    await verifyBackup(session, reference, options)
  })

  addRestoring(backup, host)
  addDeleting(backup, host)
  addDownloading(backup, host)
}

function addCreating(backup: Command, host: Host): void {
  const create = backup
    .command('create')
    .description('Back up a target, and wait until the backup is proven')
    .argument('<target>', 'a database; or a server, whose databases are backed up one by one')
    .option('--database <name>', 'of a server: this database alone')
    .option('--name <name>', 'a name for people, accepted wherever an id is')
    .addOption(
      choice('--mode <mode>', 'snapshot is a copy that the engine opens as it is', ['full', 'snapshot']),
    )
    .addOption(choice('--kind <kind>', 'why it is taken', ['manual', 'pre-migration', 'pre-restore']))
    .addOption(choice('--verify <level>', 'how deep it is verified (default: structure)', LEVELS))
    .addOption(choice('--compression <codec>', "default: the target's, else zstd", ['zstd', 'gzip', 'none']))
    .option('--include <directory>', 'directory (absolute) stored with it, any number of times', collectWord)
    .option('--storage <name>', 'where it is kept')
    .option('--label <key=value>', 'label, any number of times', collectLabel)
    .option('--note <text>', 'a note for people')
    .option('--retain <time>', 'how long it is kept: permanent, or e.g. 12h, 30d, 8w, 1y')
    .addHelpText(
      'after',
      `
Examples:
  holdfast backup create shop --verify restore
  holdfast backup create shop --kind pre-migration --name before-42 --retain 30d
  holdfast backup create main --database crm`,
    )
  withDumpOptions(create)
  withWorkOptions(withEnvironment(create, GUARD))
  const action = async (
    session: Session,
    [target = '']: readonly string[],
    { env: _env, ...options }: CreateBackupOptions & { env?: string },
  ) => {
    const { createBackup } = await import('../backup/create.ts')
    await createBackup(session, target, options)
  }
  runs(create, host, action)
}

function addListing(backup: Command, host: Host): void {
  const list = backup
    .command('list')
    .description('List backups, newest first')
    .option('--target <name>', 'only of this target')
    .option('--database <name>', 'only of this database of a server')
    .option('--group <id>', 'only of this backup of a server: the id of its operation')
    .addOption(choice('--status <status>', 'only of this status; deleted ones only so', STATUSES))
    .addOption(
      choice('--kind <kind>', 'only of this kind', ['manual', 'scheduled', 'pre-migration', 'pre-restore']),
    )
    .addOption(choice('--mode <mode>', 'only of this mode', ['full', 'snapshot']))
    .option('--label <key[=value]>', 'only with this label')
    .option('--since <moment>', 'only from this moment on, e.g. 2026-01-31 or 2026-01-31T12:00:00Z')
    .option('--until <moment>', 'only before this moment')
  withListOptions(withEnvironment(list, 'only of this environment'))
  runs<ListBackupsOptions & { env?: string }>(
    list,
    host,
    async (session, _words, { env: _env, ...options }) => {
      const { listBackups } = await import('../backup/list.ts')
      await listBackups(session, options)
    },
  )
}

function addRestoring(backup: Command, host: Host): void {
  const restore = backup
    .command('restore')
    .description('Restore a backup: first a dry run, then after confirmation the restore itself')
    .argument(...BACKUP)
    .option(...OF_TARGET)
    .option(...OF_DATABASE)
    .option(
      '--to <target-or-url>',
      "where to: a target's name, or a URL (with a password only by --to-url-file)",
    )
    .option('--to-url-file <file>', 'file that holds the URL to restore to; - reads it from standard input')
    .option('--database <name>', 'of a server that it goes to: the database (default: the one it is of)')
    .option('--no-owner', 'restored objects belong to whoever restores them')
    .option(
      '--definer <user@host>',
      'MySQL, MariaDB: the account in place of the definers of views, triggers, routines and events',
    )
    .option('--files-into <directory>', 'directory (absolute) that receives the included directories')
    .option('--dry-run', 'stop after the dry run')
    .addOption(yesOption())
    .addHelpText(
      'after',
      `
What is there already is replaced only after confirmation or with --yes. It is kept aside, and
"holdfast operation undo" puts it back. Without a terminal and without --yes only the dry run is made.

Examples:
  holdfast backup restore latest --target shop --to shop
  holdfast backup restore before-42 --to sqlite:///srv/data/copy.db --yes`,
    )
  withWorkOptions(withEnvironment(restore, GUARD))
  runs<RestoreBackupOptions>(restore, host, async (session, [reference = ''], options) => {
    const { restoreBackup } = await import('../backup/restore.ts')
    await restoreBackup(session, reference, options)
  })
}

function addDeleting(backup: Command, host: Host): void {
  const remove = backup
    .command('delete')
    .description('Delete a backup for good')
    .argument('<backup>', 'id or name of a backup')
    .option('--even-if-pinned', 'also if it is to be kept for ever')
    .addOption(yesOption())
  runs<DeleteBackupOptions>(
    withEnvironment(remove, GUARD),
    host,
    async (session, [reference = ''], options) => {
      const { deleteBackup } = await import('../backup/delete.ts')
      await deleteBackup(session, reference, options)
    },
  )
}

function addDownloading(backup: Command, host: Host): void {
  const download = backup
    .command('download')
    .description('Fetch a stored artifact, compressed as it is, and compare its checksum')
    .argument(...BACKUP)
    .option(...OF_TARGET)
    .option(...OF_DATABASE)
    .option('-o, --output <file>', 'where to; - is standard output (default: as the service proposes)')
    .addOption(
      choice('--artifact <which>', 'the dump, or what was stored beside it', ARTIFACTS).default('data'),
    )
    .option('--force', 'overwrite a file that exists')
  withEnvironment(download, GUARD)
  runs<DownloadBackupOptions>(download, host, async (session, [reference = ''], options) => {
    const { downloadBackup } = await import('../backup/download.ts')
    await downloadBackup(session, reference, options)
  })
}
