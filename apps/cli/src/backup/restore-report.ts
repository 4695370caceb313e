import type { Backup, Operation } from '@holdfast/client'
import { renderDetails } from '../text/table.ts'
import { bytesText, countText, momentText } from '../text/units.ts'

/** What a dry run found out that the real run needs to know. */
export interface DryRun {
  readonly destination: string
  /** Whether something is there that would be replaced. */
  readonly replaces: boolean
  /** What must be repeated to agree to that. */
  readonly confirm: string | null
}

/** Reads the result of a dry run. */
export function dryRunOf({ result }: Operation): DryRun {
  const replaces = listOf(result?.replaces)
  const requires: unknown = result?.requires
  const confirm: unknown =
    typeof requires === 'object' && requires !== null ? Reflect.get(requires, 'confirm') : null
  return {
    destination: textOf(result?.destination) ?? 'the destination',
    replaces: replaces.length > 0,
    confirm: textOf(confirm),
  }
}

/** What a dry run found out, for people. */
export function describeDryRun(operation: Operation): string {
  const { result } = operation
  const replaces = listOf(result?.replaces)
  return renderDetails([
    ['dry run', 'everything that can be checked is in order'],
    ['destination', textOf(result?.destination)],
    [
      'would replace',
      replaces.length === 0 ? 'nothing' : `${replaces.join(', ')} (kept aside, so that it can be undone)`,
    ],
    ['would restore', amountText(result, 'ToRestore')],
    ['as it was at', momentText(textOf(result?.consistentAt))],
    ['checked', textOf(result?.verified)],
    ...listOf(result?.warnings).map((warning) => ['warning', warning] as const),
  ])
}

/** What a restore did, for people. */
export function describeRestore(backup: Backup, { id, result }: Operation): string {
  const { keptAt, until } = keptOf(result)
  return renderDetails([
    ['restored', `backup ${backup.id} of ${backup.target}`],
    ['into', textOf(result?.destination)],
    ['content', amountText(result, 'Restored')],
    ['as it was at', momentText(textOf(result?.consistentAt))],
    ['kept aside', keptAt.length === 0 ? null : `${keptAt.join(', ')}, until ${momentText(until)}`],
    ['undo with', keptAt.length === 0 ? null : `holdfast operation undo ${id}`],
    ...listOf(result?.warnings).map((warning) => ['warning', warning] as const),
  ])
}

/** What was replaced, and until when it is kept. */
function keptOf(result: Operation['result']) {
  const replaced: unknown = result?.replaced
  if (typeof replaced !== 'object' || replaced === null) return { keptAt: [], until: null }
  return { keptAt: listOf(Reflect.get(replaced, 'keptAt')), until: textOf(Reflect.get(replaced, 'until')) }
}

function amountText(result: Operation['result'], ending: 'ToRestore' | 'Restored'): string {
  const numberOf = (name: string): number | null => {
    const value: unknown = result?.[`${name}${ending}`]
    return typeof value === 'number' ? value : null
  }
  const files = numberOf('files')
  const parts = [
    `${countText(numberOf('records'))} records`,
    files ? `${countText(files)} files` : null,
    bytesText(numberOf('bytes')),
  ]
  return parts.filter((part) => part !== null).join(', ')
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
