import { Type } from 'typebox'
import { NAME_PATTERN } from './names.ts'
import { ARTIFACT_NAME_PATTERN } from './object-keys.ts'

// The manifest as JSON Schema. Fields that it does not know are allowed: the signature covers them.

const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
const MOMENT = '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$'

const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

const Name = Type.String({ pattern: NAME_PATTERN })
const Id = Type.String({ pattern: UUID })
const Text = Type.String({ maxLength: 8192 })
const Word = Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' })
const Moment = Type.String({ pattern: MOMENT })
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' })
const Codec = Type.Union([Type.Literal('zstd'), Type.Literal('gzip'), Type.Literal('none')])
const Level = Type.Union([Type.Literal('checksum'), Type.Literal('structure'), Type.Literal('restore')])

const Counting = Type.Union([Type.Literal('exact'), Type.Literal('estimate'), Type.Literal('off')])

const Artifact = Type.Object({
  role: Type.Union([
    Type.Literal('data'),
    Type.Literal('files'),
    Type.Literal('settings'),
    Type.Literal('contents'),
    Type.Literal('globals'),
  ]),
  name: Type.String({ pattern: ARTIFACT_NAME_PATTERN }),
  codec: Codec,
  cipher: Type.Literal('none'),
  sizeBytes: Count,
  sha256: Sha256,
  storedBytes: Count,
  storedSha256: Sha256,
  fileCount: Type.Optional(Count),
})

const Facts = {
  format: Word,
  sizeBytes: Count,
  storedBytes: Count,
  recordCount: Count,
  rowCounts: Type.Record(Type.String(), Count),
  // left out by the first release, which always counted exactly
  counting: Type.Optional(Counting),
  fileCount: Count,
  serverVersion: Text,
  toolVersion: Text,
  storagePath: Text,
  checksum: Sha256,
  warnings: Type.Array(Text),
  suspicious: Type.Boolean(),
  completedAt: Moment,
  consistentAt: Moment,
  durationMs: Count,
  engineDetails: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
}

const Request = {
  mode: Type.Union([Type.Literal('full'), Type.Literal('snapshot')]),
  kind: Type.Union([
    Type.Literal('manual'),
    Type.Literal('scheduled'),
    Type.Literal('pre-migration'),
    Type.Literal('pre-restore'),
  ]),
  environment: orNull(Text),
  labels: Type.Record(Type.String(), Text),
  note: orNull(Text),
  retain: orNull(Text),
  requestedBy: Text,
  compression: Codec,
  encryption: Type.Literal('none'),
}

/** Version 1 of the manifest. */
export const ManifestSchema = Type.Object({
  formatVersion: Type.Literal(1),
  id: Id,
  name: orNull(Name),
  target: Name,
  engine: Word,
  parentId: orNull(Id),
  // left out by the first release, which knew no servers
  database: Type.Optional(orNull(Text)),
  groupId: Type.Optional(orNull(Id)),
  catalogId: Text,
  storageId: Text,
  ...Request,
  createdAt: Moment,
  startedAt: Moment,
  fence: Count,
  ...Facts,
  verification: Type.Object({ level: Level, valid: Type.Boolean(), message: Text, at: Moment }),
  include: Type.Array(Type.Object({ directory: Text, as: Text })),
  artifacts: Type.Array(Artifact, { minItems: 1, maxItems: 5 }),
  signature: Type.Object({ keyId: Text, algorithm: Type.Literal('ed25519'), value: Text }),
})
