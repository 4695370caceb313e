import type { Counting, GlobalsChoice, NewTarget, TargetOptions } from '@holdfast/client'
import { readDatabaseUrl } from '../database-url.ts'
import { nameFilter } from '../name-filter.ts'
import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { targetDetails } from './describe.ts'

export interface AddTargetOptions {
  readonly urlFile?: string
  readonly label?: Record<string, string>
  readonly include?: string[]
  readonly compression?: 'zstd' | 'gzip' | 'none'
  readonly verify?: 'checksum' | 'structure' | 'restore'
  readonly format?: string
  readonly counting?: Counting
  readonly globals?: GlobalsChoice
  readonly only?: string[]
  readonly except?: string[]
  readonly databases?: string[]
  readonly excludeDatabases?: string[]
  readonly parallel?: number
  readonly drillOn?: string
}

/** Registers a database. */
export async function addTarget(
  session: Session,
  name: string,
  word: string | undefined,
  options: AddTargetOptions,
): Promise<void> {
  const { urlFile: file, label, ...rest } = options
  const url = await readDatabaseUrl(session.host, { word, file, fileOption: '--url-file' })
  const request: NewTarget = {
    name,
    url,
    ...(session.environment !== undefined && { environment: session.environment }),
    ...(label !== undefined && { labels: label }),
    options: optionsOf(rest),
  }
  const target = await session.client.targets.register(request, { signal: session.host.interrupted })
  session.show(target, () => renderDetails(targetDetails(target)))
  session.note(`next: holdfast target check ${name}, then holdfast backup create ${name}`)
}

function optionsOf({
  only,
  except,
  databases,
  excludeDatabases,
  parallel,
  ...same
}: Omit<AddTargetOptions, 'urlFile' | 'label'>): TargetOptions {
  const filter = nameFilter(only, except)
  const ofServer = nameFilter(databases, excludeDatabases)
  return {
    ...same,
    ...(filter !== null && { filter }),
    ...(ofServer !== null && { databases: ofServer }),
    ...(parallel !== undefined && { parallelDatabases: parallel }),
  }
}
