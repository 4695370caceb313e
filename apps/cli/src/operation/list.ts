import type { Operation, OperationFilter } from '@holdfast/client'
import { usageError } from '../cli-error.ts'
import type { ListOptions } from '../collect-pages.ts'
import { collectPages, moreText } from '../collect-pages.ts'
import type { Session } from '../session.ts'
import type { Column } from '../text/table.ts'
import { renderTable } from '../text/table.ts'
import { durationText, momentText } from '../text/units.ts'

export interface ListOperationsOptions
  extends ListOptions,
    Pick<OperationFilter, 'state' | 'type' | 'target' | 'group'> {
  readonly backup?: string
}

const COLUMNS: readonly Column<Operation>[] = [
  { title: 'id', value: ({ id }) => id },
  { title: 'type', value: typeText },
  { title: 'target', value: targetText },
  { title: 'state', value: ({ state }) => state },
  { title: 'progress', value: progressText },
  { title: 'requested by', value: ({ requestedBy }) => requestedBy },
  { title: 'created', value: ({ createdAt }) => momentText(createdAt) },
  { title: 'took', value: tookText },
  { title: 'error', value: ({ error }) => error?.code ?? null },
]

/** Lists operations, newest first. */
export async function listOperations(session: Session, options: ListOperationsOptions): Promise<void> {
  const { client, host, environment } = session
  const { state, type, target, group, backup: backupId } = options
  const filter = { state, type, target, group, backupId, signal: host.interrupted }
  const fetchPage = (part: { limit: number; cursor: string | undefined }) =>
    client.operations.list({ ...filter, ...part })
  const page = await collectPages(fetchPage, options, await ofEnvironment(session, options))
  if (session.json) return session.showLine(page)
  if (page.items.length === 0) {
    const isFiltered = [state, type, target, group, backupId, environment].some(
      (value) => value !== undefined,
    )
    return session.note(isFiltered ? 'no such operations' : 'no operations yet: nothing was asked for')
  }
  session.show(page, () => operationTable(page.items))
  const more = moreText(page)
  if (more !== null) session.note(more)
}

/** Operations for people, one a line. */
export function operationTable(operations: readonly Operation[]): string {
  return renderTable(COLUMNS, operations)
}

/** Operations know their target, and targets their environment. */
async function ofEnvironment({ client, environment, host }: Session, { cursor }: ListOptions) {
  if (environment === undefined) return null
  if (cursor !== undefined)
    throw usageError('--cursor cannot be used together with --env', 'use --limit or --all')
  const fetchPage = (part: { limit: number; cursor: string | undefined }) =>
    client.targets.list({ ...part, environment, signal: host.interrupted })
  const { items } = await collectPages(fetchPage, { all: true })
  const names = new Set(items.map(({ name }) => name))
  return ({ target }: Operation) => target !== null && names.has(target)
}

/** An undo is a restore to the service. */
function typeText({ type, request }: Operation): string {
  if (request.type === 'undo') return 'undo'
  return type === 'restore' && request.dryRun === true ? 'restore (dry run)' : type
}

/** Of a server, the database too. */
function targetText({ target, request }: Operation): string | null {
  return target !== null && typeof request.database === 'string' ? `${target}/${request.database}` : target
}

function progressText({ state, phase, progress }: Operation): string | null {
  if (state === 'waiting' && phase === 'members')
    return `${progress.objects} of ${progress.totalObjects} databases`
  if (state !== 'running') return null
  const percent = progress.percent === undefined ? '' : ` ${Math.floor(progress.percent)}%`
  return `${phase ?? 'running'}${percent}`
}

function tookText({ startedAt, finishedAt }: Operation): string | null {
  return startedAt && finishedAt ? durationText(Date.parse(finishedAt) - Date.parse(startedAt)) : null
}
