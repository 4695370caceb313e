import type { BackupBody } from '../contract/requests.ts'
import { requireName } from '../domain/names.ts'
import type { BackupRequest } from '../domain/operation.ts'
import type { Target } from '../domain/target.ts'
import { AppError } from '../errors.ts'
import type { EngineFacts } from './record-request.ts'
import { namesServer, noServer } from './target-url.ts'

/**
 * A backup as asked for, every default filled in: from the target's options, then ours. Throws INVALID_REQUEST for
 * what the engine, or the target, cannot do.
 */
export function toBackupRequest(body: BackupBody, target: Target, factory: EngineFacts): BackupRequest {
  const mode = body.mode ?? 'full'
  const { options } = target
  const filter = body.filter ?? options.filter
  const request = {
    database: databaseOf(body, target, factory),
    groupId: null,
    format: body.format ?? options.format ?? factory.formats[0].name,
    counting: body.counting ?? options.counting ?? 'exact',
    globals: body.globals ?? options.globals ?? 'none',
    filter: filter === undefined ? null : { include: filter.include ?? [], exclude: filter.exclude ?? [] },
  } as const
  requireSupported(factory, { ...request, mode })
  if (mode === 'snapshot' && body.compression !== undefined && body.compression !== 'none') {
    throw new AppError(
      'INVALID_REQUEST',
      'a snapshot is stored as the engine opens it and cannot be compressed',
      {
        hint: "leave out 'compression', or ask for mode 'full'",
      },
    )
  }
  return {
    ...request,
    type: 'backup',
    target: target.name,
    name: body.name === undefined ? null : requireName('name', body.name),
    mode,
    kind: body.kind ?? 'manual',
    compression: mode === 'snapshot' ? 'none' : (body.compression ?? target.options.compression ?? 'zstd'),
    include: body.include ?? target.options.include ?? [],
    storage: body.storage ?? 'default',
    labels: body.labels ?? {},
    note: body.note ?? null,
    retain: body.retain ?? null,
    verify: body.verify ?? target.options.verify ?? 'structure',
  }
}

function databaseOf(body: BackupBody, target: Target, factory: EngineFacts): string | null {
  if (!namesServer(factory, target)) {
    if (body.database === undefined) return null
    throw noServer(`target ${target.name}`)
  }
  if (body.database !== undefined) return body.database
  if (body.name === undefined) return null
  throw new AppError('INVALID_REQUEST', 'the backups of all databases of a server cannot have one name', {
    hint: "leave out 'name' and use 'labels', or name one database",
  })
}

/** What an engine cannot do is refused when it is asked for, not when the database is read. */
function requireSupported(
  { engine, formats, supports }: EngineFacts,
  asked: Pick<BackupRequest, 'mode' | 'format' | 'globals' | 'filter'>,
): void {
  if (!formats.some((format) => format.name === asked.format)) {
    throw new AppError('INVALID_REQUEST', `${engine} backups have no format ${asked.format}`, {
      hint: `choose one of: ${formats.map((format) => format.name).join(', ')}`,
    })
  }
  const refused = [
    asked.mode === 'snapshot' && !supports.snapshot ? "mode 'snapshot'" : null,
    asked.globals !== 'none' && !supports.globals ? "'globals'" : null,
    asked.filter !== null && !supports.filter ? "'filter'" : null,
  ].find((what) => what !== null)
  if (refused === undefined) return
  throw new AppError('INVALID_REQUEST', `backups of ${engine} do not know ${refused}`, {
    hint: `leave it out of the request, or of the options of the target`,
  })
}
