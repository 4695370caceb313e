import type { Backup, BackupStatus } from '@holdfast/core'
import {
  ARTIFACT_ROLES,
  BACKUP_TRANSITIONS,
  BackupKindSchema,
  BackupModeSchema,
  BackupReferenceSchema,
  DatabaseNameSchema,
  LabelsSchema,
  NameSchema,
  NoteSchema,
} from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import {
  Count,
  Details,
  FailureView,
  idOf,
  Moment,
  mapOf,
  oneOf,
  orNull,
  Texts,
  toFailureView,
} from '../../http/fields.ts'
import { pageQuery } from '../../http/page.ts'

// Object.keys loses the literal type; BACKUP_TRANSITIONS has every status exactly once
const STATUSES = Object.keys(BACKUP_TRANSITIONS) as readonly BackupStatus[]

export const BackupParams = Type.Object({ id: BackupReferenceSchema }, { additionalProperties: false })
export const LatestQuery = Type.Object(
  { target: NameSchema, database: Type.Optional(DatabaseNameSchema) },
  { additionalProperties: false },
)
export const DownloadQuery = Type.Object(
  { artifact: Type.Optional(oneOf(ARTIFACT_ROLES)) },
  { additionalProperties: false },
)
export const DeleteQuery = Type.Object(
  { evenIfPinned: Type.Optional(Type.Boolean({ default: false })) },
  { additionalProperties: false },
)

const Since = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$',
  description: 'ISO 8601, e.g. 2026-01-31 or 2026-01-31T12:00:00Z',
})

export const BackupListQuery = Type.Object(
  {
    target: Type.Optional(NameSchema),
    database: Type.Optional(DatabaseNameSchema),
    group: Type.Optional(idOf('The operation of a group: the backups of its members')),
    environment: Type.Optional(NameSchema),
    status: Type.Optional(oneOf(STATUSES)),
    kind: Type.Optional(BackupKindSchema),
    mode: Type.Optional(BackupModeSchema),
    label: Type.Optional(
      Type.String({
        pattern: '^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}(=[^\\x00-\\x1f]{0,256})?$',
        description: '`key` or `key=value`',
      }),
    ),
    since: Type.Optional(Since),
    until: Type.Optional(Since),
    ...pageQuery,
  },
  { additionalProperties: false },
)

/** `PATCH /v1/backups/{id}`: what is left out stays. */
export const BackupChangeBody = Type.Object(
  {
    pinned: Type.Optional(Type.Boolean({ description: 'Keep for ever' })),
    suspicious: Type.Optional(
      Type.Literal(false, { description: 'Accept a backup that shrank: the new baseline' }),
    ),
    labels: Type.Optional(LabelsSchema),
    note: Type.Optional(orNull(NoteSchema)),
  },
  { additionalProperties: false },
)

export const DeletedView = Type.Object({ bytesFreed: Count })

export const BackupView = Type.Object(
  {
    id: Type.String(),
    name: orNull(Type.String()),
    target: Type.String(),
    engine: Type.String(),
    mode: Type.String(),
    kind: Type.String(),
    status: oneOf(STATUSES),
    parentId: orNull(Type.String()),
    database: orNull(Type.String({ description: 'Of a target that names a server' })),
    groupId: orNull(Type.String({ description: 'The operation on the server that it is a part of' })),
    format: orNull(Type.String()),
    sizeBytes: orNull(Count),
    storedBytes: orNull(Count),
    recordCount: orNull(Count),
    rowCounts: orNull(mapOf(Count)),
    fileCount: orNull(Count),
    serverVersion: orNull(Type.String()),
    toolVersion: orNull(Type.String()),
    compression: Type.String(),
    encryption: Type.String(),
    storage: Type.String(),
    storagePath: orNull(Type.String()),
    checksum: orNull(Type.String({ description: 'SHA-256 (hex) of the plain dump' })),
    environment: orNull(Type.String()),
    labels: Texts,
    note: orNull(Type.String()),
    pinned: Type.Boolean(),
    suspicious: Type.Boolean(),
    warnings: Type.Array(Type.String()),
    retain: orNull(Type.String()),
    requestedBy: Type.String(),
    createdAt: Moment,
    startedAt: orNull(Moment),
    completedAt: orNull(Moment),
    expiresAt: orNull(Moment),
    consistentAt: orNull(Moment),
    durationMs: orNull(Count),
    engineDetails: orNull(Details),
    verification: orNull(
      Type.Object({ level: Type.String(), valid: Type.Boolean(), message: Type.String(), at: Moment }),
    ),
    error: orNull(FailureView),
  },
  { $id: 'Backup' },
)
export type BackupView = Static<typeof BackupView>

/** The only place where a backup becomes JSON: a new field stays private until it is added here. */
export function toBackupView(backup: Backup): BackupView {
  const { id, name, target, engine, mode, kind, status, parentId, compression, encryption, storage } = backup
  const { environment, note, pinned, retain, requestedBy, createdAt, startedAt, expiresAt } = backup
  const { database, groupId } = backup
  return {
    ...{ id, name, target, engine, mode, kind, status, parentId, compression, encryption, storage },
    ...{ database, groupId },
    ...{ environment, note, pinned, retain, requestedBy, createdAt, startedAt, expiresAt },
    ...factsOf(backup),
    labels: { ...backup.labels },
    verification: backup.verification && { ...backup.verification },
    error: backup.error && toFailureView(backup.error),
  }
}

/** What is known only of a dump that was completed. */
function factsOf({ facts }: Backup) {
  return {
    format: facts?.format ?? null,
    sizeBytes: facts?.sizeBytes ?? null,
    storedBytes: facts?.storedBytes ?? null,
    recordCount: facts?.recordCount ?? null,
    rowCounts: facts && { ...facts.rowCounts },
    fileCount: facts?.fileCount ?? null,
    serverVersion: facts?.serverVersion ?? null,
    toolVersion: facts?.toolVersion ?? null,
    storagePath: facts?.storagePath ?? null,
    checksum: facts?.checksum ?? null,
    suspicious: facts?.suspicious ?? false,
    warnings: facts ? [...facts.warnings] : [],
    completedAt: facts?.completedAt ?? null,
    consistentAt: facts?.consistentAt ?? null,
    durationMs: facts?.durationMs ?? null,
    engineDetails: facts && { ...facts.engineDetails },
  }
}
