import type { Role } from '@holdfast/client'
import type { Command } from 'commander'
import type { Host } from '../host.ts'
import { choice, group, runs, yesOption } from './command.ts'

/** `holdfast key …` */
export function addKeyCommands(program: Command, host: Host): void {
  const key = group(program, 'key', 'API keys (for admins)')

  const create = key
    .command('create')
    .description('Make an API key; it is shown this once')
    .argument('<name>')
    .addOption(
      choice('--role <role>', 'viewers read, operators back up and verify, admins do everything', [
        'viewer',
        'operator',
        'admin',
      ]).makeOptionMandatory(),
    )
  runs<{ role: Role }>(create, host, async (session, [name = ''], options) => {
    const { createKey } = await import('../key/create.ts')
    await createKey(session, name, options)
  })

  const list = key.command('list').description('List the API keys, revoked ones included')
  runs(list, host, async (session) => {
    const { listKeys } = await import('../key/list.ts')
    await listKeys(session)
  })

  const revoke = key
    .command('revoke')
    .description('Revoke an API key, at once and for ever')
    .argument('<name>')
    .addOption(yesOption())
  runs<{ yes?: boolean }>(revoke, host, async (session, [name = ''], options) => {
    const { revokeKey } = await import('../key/revoke.ts')
    await revokeKey(session, name, options)
  })
}
