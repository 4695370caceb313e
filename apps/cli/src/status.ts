import type { Operation, Readiness, Stats, Target } from '@holdfast/client'
import { CliError } from './cli-error.ts'
import { collectPages } from './collect-pages.ts'
import { EXIT } from './exit-codes.ts'
import { operationTable } from './operation/list.ts'
import type { Session } from './session.ts'
import { newestBackups } from './target/newest-backups.ts'
import type { Column } from './text/table.ts'
import { renderDetails, renderTable } from './text/table.ts'
import { bytesText, countText, durationText, momentText } from './text/units.ts'

const SHOWN_OPERATIONS = 20

interface Protection extends Pick<Target, 'name' | 'engine' | 'environment'> {
  /** The moment that its newest usable backup shows, of a server the oldest of its databases'; null if there is none. */
  readonly newestBackupAt: string | null
  readonly ageMs: number | null
}

/** Shows at a glance whether the service works, what is protected, and what is being done. */
export async function showStatus(session: Session): Promise<void> {
  const { client, environment, json, host } = session
  const options = { signal: host.interrupted }
  const [readiness, stats, registered, running] = await Promise.all([
    client.readiness(options),
    client.stats(options),
    collectPages((part) => client.targets.list({ ...part, ...options, environment }), { all: true }),
    client.operations.list({ ...options, state: 'running', limit: SHOWN_OPERATIONS }),
  ])
  const targets = protectionOf(registered.items, stats, host.now())
  const operations = inEnvironment(session, running.items, targets)
  if (json) session.showLine({ url: client.url, ...readiness, stats, targets, running: operations })
  else {
    const tables = [
      totals(client.url, readiness, stats),
      protectionTable(targets, stats),
      runningTable(operations),
    ]
    session.show(null, () => tables.filter((table) => table !== '').join('\n\n'))
  }
  if (!readiness.ready) throw notReady(readiness)
}

function protectionOf(targets: readonly Target[], { newest }: Stats, now: number): readonly Protection[] {
  const known = newestBackups({ newest })
  return targets.map(({ name, engine, environment }) => {
    const newestBackupAt = known.get(name)?.at ?? null
    const ageMs = newestBackupAt === null ? null : Math.max(0, now - Date.parse(newestBackupAt))
    return { name, engine, environment, newestBackupAt, ageMs }
  })
}

function inEnvironment(
  { environment }: Session,
  operations: readonly Operation[],
  targets: readonly Protection[],
): readonly Operation[] {
  if (environment === undefined) return operations
  return operations.filter(({ target }) => targets.some(({ name }) => name === target))
}

function totals(
  url: string,
  { ready, parts }: Readiness,
  { backups, operations, storedBytes, sizeBytes }: Stats,
): string {
  const missing = missingParts(parts)
  return renderDetails([
    ['service', `${url}  ${ready ? 'ready' : `NOT READY: ${missing.join(', ')}`}`],
    ['backups', `${countsText(backups)}; ${bytesText(storedBytes)} stored of ${bytesText(sizeBytes)}`],
    ['operations', countsText(operations)],
  ])
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const shown = Object.entries(counts).filter(([, count]) => count > 0)
  return shown.length === 0 ? 'none' : shown.map(([name, count]) => `${countText(count)} ${name}`).join(', ')
}

const COLUMNS: readonly Column<Protection>[] = [
  { title: 'target', value: ({ name }) => name },
  { title: 'engine', value: ({ engine }) => engine },
  { title: 'environment', value: ({ environment }) => environment },
  {
    title: 'newest backup',
    value: ({ newestBackupAt }) => (newestBackupAt ? momentText(newestBackupAt) : 'NONE'),
  },
  { title: 'age', value: ({ ageMs }) => durationText(ageMs) },
]

function protectionTable(targets: readonly Protection[], stats: Stats): string {
  if (targets.length > 0) return renderTable(COLUMNS, targets)
  return stats.targets === 0
    ? 'no targets yet. Register one: holdfast target add NAME sqlite:///absolute/path.db'
    : 'no targets in this environment'
}

function runningTable(operations: readonly Operation[]): string {
  return operations.length === 0 ? '' : operationTable(operations)
}

function missingParts(parts: Readiness['parts']): string[] {
  return Object.entries(parts).flatMap(([name, works]) => (works ? [] : [name]))
}

function notReady({ parts }: Readiness): CliError {
  return new CliError({
    code: 'NOT_READY',
    detail: `the service cannot work now: ${missingParts(parts).join(', ')}`,
    hint: 'the logs of the API and of the workers say why; docs/when-things-go-wrong.md says what to do',
    exitCode: EXIT.unreachable,
  })
}
