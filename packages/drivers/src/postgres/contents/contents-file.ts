import type { Attachment } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { contentsAttachment, contentsIn } from '../../client-server/contents-attachment.ts'

const Text = Type.String()
const Texts = Type.Array(Text)
const Count = Type.Integer({ minimum: 0 })
const orNull = <Schema extends ReturnType<typeof Type.String | typeof Type.Object>>(schema: Schema) =>
  Type.Union([schema, Type.Null()])

/** How the database was created, and what can be changed about it later. */
const Database = Type.Object({
  encoding: Text,
  collate: Text,
  ctype: Text,
  localeProvider: Type.Union([Type.Literal('libc'), Type.Literal('icu'), Type.Literal('builtin')]),
  /** Of the providers that have one of their own; null for libc. */
  locale: orNull(Text),
  icuRules: orNull(Text),
  owner: Text,
  tablespace: Text,
  isTemplate: Type.Boolean(),
  /** -1: unlimited. */
  connectionLimit: Type.Integer(),
})

const SequenceState = Type.Object({ lastValue: Text, isCalled: Type.Boolean() })

const ContentsSchema = Type.Object({
  v: Type.Literal(1),
  /** Like server_version_num: 150020. */
  serverVersion: Type.Integer(),
  database: Database,
  /** Every role that owners, privileges, policies or settings in the dump name. */
  roles: Texts,
  extensions: Type.Array(Type.Object({ name: Text, version: Text, schema: Text })),
  /** Those of tables and indexes; the one of the database is not needed. */
  tablespaces: Texts,
  /** Procedural languages that do not come with an extension. */
  languages: Texts,
  /** Shared libraries of functions in C that do not come with an extension. */
  libraries: Texts,
  /** In words: kinds of objects in the dump that only a superuser can create. */
  superuserOnly: Texts,
  /** Null unless rows were counted exactly. */
  digests: Type.Union([
    Type.Object({
      method: Type.Union([Type.Literal('record'), Type.Literal('text')]),
      /** Digest of known values: where it differs, digests cannot be compared. */
      probe: Text,
      /**
       * By table as `schema.table`, and all large objects under their own name. What is `derived`, a materialised view,
       * is computed anew by a restore and may differ if it was not fresh.
       */
      tables: Type.Record(
        Text,
        Type.Object({ rows: Count, digest: Text, derived: Type.Optional(Type.Literal(true)) }),
      ),
    }),
    Type.Null(),
  ]),
  /** Sequences know no snapshot: what each was before and after the dump; the dump has it somewhere in between. */
  sequences: Type.Record(Text, Type.Object({ before: SequenceState, after: SequenceState })),
  /** What a filter, or the server, kept out of the dump; null if that is nothing. */
  leftOut: Type.Union([
    Type.Object({
      schemas: Texts,
      tables: Texts,
      /** Tables whose definition is there but not their rows. */
      rowsOf: Texts,
    }),
    Type.Null(),
  ]),
})

/** What a dump holds and what a restore of it must find: the attachment `contents`. */
export type Contents = Static<typeof ContentsSchema>
export type SequenceRange = Contents['sequences'][string]
export type DigestMethod = NonNullable<Contents['digests']>['method']

const validator = Compile(ContentsSchema)

/** The attachment in which contents are stored. */
export function writeContents(contents: Contents): Attachment {
  return contentsAttachment(contents)
}

/** Throws ARTIFACT_CORRUPT for what {@link writeContents} has not written, MANIFEST_UNSUPPORTED for a later version. */
export function readContents(attachments: readonly Attachment[]): Contents {
  return contentsIn(attachments, validator, 'v')
}
