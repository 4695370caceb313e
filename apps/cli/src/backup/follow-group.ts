import type { GroupMember, Operation } from '@holdfast/client'
import { collectPages } from '../collect-pages.ts'
import type { WorkCommandOptions } from '../progress/carry-out.ts'
import { carryOut } from '../progress/carry-out.ts'
import { followOperation, isFinished, requireCompleted } from '../progress/follow-operation.ts'
import type { Session } from '../session.ts'
import { printable } from '../text/printable.ts'
import { bytesText, countText } from '../text/units.ts'

const NAME_WIDTH = 24
const STATE_WIDTH = 9

/** True for a backup of a whole server: its members have a backup each, it has none. */
export function isGroup({ type, backupId }: Pick<Operation, 'type' | 'backupId'>): boolean {
  return type === 'backup' && backupId === null
}

/** Shows a backup of a server: a line for each database as soon as it has ended. */
export async function followGroup(
  session: Session,
  accepted: Operation,
  options: Pick<WorkCommandOptions, 'wait'>,
): Promise<void> {
  if (session.json || !options.wait) return carryOut(session, accepted, options, () => '')
  if (accepted.coalesced) session.note(`an equal request is under way: this is operation ${accepted.id}`)
  const shown = new Set<string>()
  const show = (lines: readonly (readonly [id: string, line: string])[], clear: () => void) => {
    for (const [id, line] of lines) {
      if (shown.has(id)) continue
      shown.add(id)
      clear()
      session.host.stdout.write(`${line}\n`)
    }
  }
  // one look at a time; what goes wrong with one, the next makes good
  let looking = Promise.resolve()
  const operation = await followOperation(session, accepted.id, (_operation, clear) => {
    looking = looking.then(async () => show(await endedMembers(session, accepted.id), clear)).catch(() => {})
  })
  await looking
  show(linesOf(operation), () => {})
  requireCompleted(operation)
  session.note(`${countText(shown.size)} databases of ${operation.target} are backed up`)
}

async function endedMembers(session: Session, group: string) {
  const { client, host } = session
  const { items } = await collectPages(
    (part) => client.operations.list({ ...part, group, signal: host.interrupted }),
    { all: true },
  )
  return items
    .toReversed()
    .filter(isFinished)
    .map((member) => [member.id, memberLine(String(member.request.database), member)] as const)
}

/** All databases of a group that has ended, those included that never began. */
function linesOf({ result }: Operation) {
  const members: unknown = result?.members
  if (!Array.isArray(members)) return []
  // the service wrote them; its types say what they are
  return members.map((member: GroupMember) => {
    const key = member.operationId ?? `unbegun ${member.database}`
    return [key, memberLine(member.database, { ...member, result: null })] as const
  })
}

function memberLine(
  database: string,
  { state, backupId, error, result }: Pick<Operation, 'state' | 'backupId' | 'error' | 'result'>,
): string {
  const bytes = typeof result?.sizeBytes === 'number' ? bytesText(result.sizeBytes) : null
  const rest = state === 'completed' ? [bytes, backupId] : [error && `${error.detail} (${error.code})`]
  const parts = [database.padEnd(NAME_WIDTH), state.padEnd(STATE_WIDTH), ...rest]
  return printable(
    parts
      .filter((part) => part !== null)
      .join('  ')
      .trimEnd(),
  )
}
