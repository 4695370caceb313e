import type { NewTarget } from '@holdfast/client'
import { readDatabaseUrl } from '../database-url.ts'
import type { Session } from '../session.ts'
import { renderDetails } from '../text/table.ts'
import { targetDetails } from './describe.ts'

export interface AddTargetOptions {
  readonly urlFile?: string
  readonly label?: Record<string, string>
  readonly include?: string[]
  readonly compression?: 'zstd' | 'gzip' | 'none'
  readonly verify?: 'checksum' | 'structure' | 'restore'
}

/** Registers a database. */
export async function addTarget(
  session: Session,
  name: string,
  word: string | undefined,
  options: AddTargetOptions,
): Promise<void> {
  const { urlFile: file, label, include, compression, verify } = options
  const url = await readDatabaseUrl(session.host, { word, file, fileOption: '--url-file' })
  const request: NewTarget = {
    name,
    url,
    ...(session.environment !== undefined && { environment: session.environment }),
    ...(label !== undefined && { labels: label }),
    options: {
      ...(include !== undefined && { include }),
      ...(compression !== undefined && { compression }),
      ...(verify !== undefined && { verify }),
    },
  }
  const target = await session.client.targets.register(request, { signal: session.host.interrupted })
  session.show(target, () => renderDetails(targetDetails(target)))
  session.note(`next: holdfast target check ${name}, then holdfast backup create ${name}`)
}
