import type { Static } from 'typebox'
import { Type } from 'typebox'
import { NAME_PATTERN } from '../domain/names.ts'

// The shapes in which HTTP clients and queue producers ask for work. One schema each is validation,
// OpenAPI, the published JSON Schema and the type.

const LONGEST_PATH = 4096
const UUID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

/** A name of a target, a backup, a storage or a key. */
export const NameSchema = Type.String({
  pattern: NAME_PATTERN,
  description: 'Lower-case name of 1 to 63 characters',
})

/** A backup by id or by its human name. */
export const BackupReferenceSchema = Type.String({
  pattern: NAME_PATTERN,
  description: 'Id or name of a backup',
})

/** Free key-value pairs, at most 32. */
export const LabelsSchema = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$' }),
  Type.String({ maxLength: 256 }),
  { maxProperties: 32, additionalProperties: false },
)

export const CompressionSchema = Type.Union([
  Type.Literal('zstd'),
  Type.Literal('gzip'),
  Type.Literal('none'),
])
export const VerificationLevelSchema = Type.Union([
  Type.Literal('checksum'),
  Type.Literal('structure'),
  Type.Literal('restore'),
])
export const BackupModeSchema = Type.Union([Type.Literal('full'), Type.Literal('snapshot')])
export const CountingSchema = Type.Union(
  [Type.Literal('exact'), Type.Literal('estimate'), Type.Literal('off')],
  { description: 'How rows are counted at the moment of the dump; `exact` also digests their contents' },
)
export const GlobalsSchema = Type.Union(
  [Type.Literal('with-passwords'), Type.Literal('without-passwords'), Type.Literal('none')],
  { description: 'Whether roles and other things of the whole server are stored beside the dump' },
)
export const FormatSchema = Type.String({
  pattern: '^[a-z][a-z0-9-]{0,31}$',
  description: 'A format of the engine, such as `custom`, `plain`, `directory` or `tar` for PostgreSQL',
})
const PATTERNS = Type.Array(Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000]+$' }), {
  maxItems: 200,
})
export const FilterSchema = Type.Object(
  { include: Type.Optional(PATTERNS), exclude: Type.Optional(PATTERNS) },
  {
    additionalProperties: false,
    description: 'Names, in which `*` and `?` stand for any letters',
  },
)
export const DatabaseNameSchema = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: '^[^\\u0000]+$',
  description: 'A database of a target that names a server',
})
export const BackupKindSchema = Type.Union([
  Type.Literal('manual'),
  Type.Literal('scheduled'),
  Type.Literal('pre-migration'),
  Type.Literal('pre-restore'),
])

const PathSchema = Type.String({ minLength: 1, maxLength: LONGEST_PATH, pattern: '^/[^\\u0000]*$' })
export const IncludeSchema = Type.Array(PathSchema, {
  maxItems: 32,
  description: 'Directories stored beside the database',
})
export const NoteSchema = Type.String({ maxLength: 2000 })
export const RetainSchema = Type.String({
  pattern: '^(permanent|[1-9][0-9]{0,4}[hdwy])$',
  description: '`permanent`, or a time such as `12h`, `30d`, `8w`, `1y`',
})

/** `POST /v1/backups`. */
export const BackupBody = Type.Object(
  {
    target: NameSchema,
    name: Type.Optional(NameSchema),
    mode: Type.Optional(BackupModeSchema),
    kind: Type.Optional(BackupKindSchema),
    database: Type.Optional(DatabaseNameSchema),
    format: Type.Optional(FormatSchema),
    counting: Type.Optional(CountingSchema),
    globals: Type.Optional(GlobalsSchema),
    filter: Type.Optional(FilterSchema),
    compression: Type.Optional(CompressionSchema),
    include: Type.Optional(IncludeSchema),
    storage: Type.Optional(NameSchema),
    labels: Type.Optional(LabelsSchema),
    note: Type.Optional(NoteSchema),
    retain: Type.Optional(RetainSchema),
    verify: Type.Optional(VerificationLevelSchema),
  },
  { additionalProperties: false },
)
export type BackupBody = Static<typeof BackupBody>

const IntoTarget = Type.Object(
  { target: NameSchema, database: Type.Optional(DatabaseNameSchema) },
  { additionalProperties: false },
)
const IntoUrl = Type.Object(
  { url: Type.String({ minLength: 1, maxLength: 8192 }) },
  { additionalProperties: false },
)

const DefinerSchema = Type.String({
  // the last @ parts them: users may contain one, hosts may not
  pattern: '^[^\\u0000-\\u001f\\u007f]{1,128}@[A-Za-z0-9._:%/-]{1,255}$',
  description: '`user@host`: the account in place of the definers of views, triggers, routines and events',
})

const restoreOptions = {
  dryRun: Type.Optional(Type.Boolean({ default: true })),
  confirm: Type.Optional(Type.String({ maxLength: LONGEST_PATH })),
  overwrite: Type.Optional(Type.Boolean({ default: false })),
  keepOwners: Type.Optional(
    Type.Boolean({ default: true, description: 'false: restored objects belong to whoever restores them' }),
  ),
  definer: Type.Optional(DefinerSchema),
  filesInto: Type.Optional(PathSchema),
}

/** `POST /v1/backups/{id}/restore`. */
export const RestoreBody = Type.Object(
  { into: Type.Union([IntoTarget, IntoUrl]), ...restoreOptions },
  { additionalProperties: false },
)
export type RestoreBody = Static<typeof RestoreBody>

/** `POST /v1/backups/{id}/verify`. */
export const VerifyBody = Type.Object(
  { level: Type.Optional(VerificationLevelSchema) },
  { additionalProperties: false },
)
export type VerifyBody = Static<typeof VerifyBody>

const version = Type.Literal(1, { description: 'Version of this payload' })
const origin = {
  v: version,
  requestedBy: Type.Optional(Type.String({ maxLength: 120, description: 'Who asks, for the audit trail' })),
  idempotencyKey: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
}

/** Job of an operation that the catalog holds already: what HTTP and the CLI enqueue. */
export const AcceptedPayload = Type.Object(
  { v: version, operationId: Type.String({ pattern: UUID_PATTERN }) },
  { additionalProperties: false },
)
export type AcceptedPayload = Static<typeof AcceptedPayload>

/** Payloads that other services may add to the queues, by queue name. */
export const DIRECT_PAYLOADS = {
  backup: Type.Object({ ...origin, ...BackupBody.properties }, { additionalProperties: false }),
  restore: Type.Object(
    { ...origin, backup: BackupReferenceSchema, into: IntoTarget, ...restoreOptions },
    { additionalProperties: false },
  ),
  verify: Type.Object(
    { ...origin, backup: BackupReferenceSchema, ...VerifyBody.properties },
    { additionalProperties: false },
  ),
  retention: Type.Object({ ...origin }, { additionalProperties: false }),
} as const

export type BackupPayload = Static<typeof DIRECT_PAYLOADS.backup>
export type RestorePayload = Static<typeof DIRECT_PAYLOADS.restore>
export type VerifyPayload = Static<typeof DIRECT_PAYLOADS.verify>
export type RetentionPayload = Static<typeof DIRECT_PAYLOADS.retention>
