import type { Command } from 'commander'
import type { Host } from '../host.ts'
import type { ListOperationsOptions } from '../operation/list.ts'
import type { UndoOptions } from '../operation/undo.ts'
import {
  choice,
  group,
  runs,
  withEnvironment,
  withListOptions,
  withWorkOptions,
  yesOption,
} from './command.ts'

const STATES = ['queued', 'waiting', 'running', 'completed', 'failed', 'cancelled']
const TYPES = ['backup', 'restore', 'verify', 'retention']

/** `holdfast operation …` */
export function addOperationCommands(program: Command, host: Host): void {
  const operation = group(program, 'operation', 'Work asked for: what became of it, cancelling, undoing')

  const list = operation
    .command('list')
    .description('List operations, newest first')
    .addOption(choice('--state <state>', 'only in this state', STATES))
    .addOption(choice('--type <type>', 'only of this type', TYPES))
    .option('--target <name>', 'only on this target')
    .option('--backup <id>', 'only about this backup')
    .option('--group <id>', 'only the members of this backup of a server')
  withListOptions(withEnvironment(list, 'only on targets of this environment'))
  runs<ListOperationsOptions>(list, host, async (session, _words, options) => {
    const { listOperations } = await import('../operation/list.ts')
    await listOperations(session, options)
  })

  const watch = operation
    .command('watch')
    .description('Follow an operation to its end; with --json, one line of JSON for each change')
    .argument('<id>')
  runs(watch, host, async (session, [id = '']) => {
    const { watchOperation } = await import('../operation/watch.ts')
    await watchOperation(session, id)
  })

  const cancel = operation
    .command('cancel')
    .description('Cancel an operation, waiting or running')
    .argument('<id>')
    .option('--no-wait', 'do not wait until it has ended')
  runs<{ wait: boolean }>(cancel, host, async (session, [id = ''], options) => {
    const { cancelOperation } = await import('../operation/cancel.ts')
    await cancelOperation(session, id, options)
  })

  const undo = operation
    .command('undo')
    .description('Put back what a restore replaced, while it is kept')
    .argument('<id>', 'the restore')
    .addOption(yesOption())
  runs<UndoOptions>(withWorkOptions(undo), host, async (session, [id = ''], options) => {
    const { undoRestore } = await import('../operation/undo.ts')
    await undoRestore(session, id, options)
  })
}
