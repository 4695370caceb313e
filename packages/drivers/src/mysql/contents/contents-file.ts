import { createHash } from 'node:crypto'
import type { Attachment } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { contentsAttachment, contentsIn } from '../../client-server/contents-attachment.ts'
import { requalify } from '../schema/requalify.ts'
import type { Program, TableObject } from '../schema/schema-objects.ts'
import { PROGRAM_KINDS } from '../schema/schema-objects.ts'
import { tokensOf } from '../schema/sql-tokens.ts'

const Text = Type.String()
const Texts = Type.Array(Text)
const TextOrNull = Type.Union([Text, Type.Null()])
const Count = Type.Integer({ minimum: 0 })

const Table = Type.Object({
  name: Text,
  kind: Type.Union([Type.Literal('table'), Type.Literal('sequence')]),
  /** Null if the server could not open it. */
  engine: TextOrNull,
  /** Null if nothing was counted. */
  rows: Type.Union([Count, Type.Null()]),
  /** Null unless rows were counted exactly and of the same moment as the dump. */
  digest: TextOrNull,
  /** Digest of its definition, without what differs between equal tables (AUTO_INCREMENT, its schema's name). */
  definition: Text,
})

const Grant = Type.Object({ account: Text, privileges: Texts, withGrantOption: Type.Boolean() })

const ProgramSchema = Type.Object({
  kind: Type.Enum([...PROGRAM_KINDS]),
  name: Text,
  createSql: Text,
  encoding: Type.Union([Type.Literal('utf8'), Type.Literal('binary')]),
  definer: TextOrNull,
  sqlMode: Text,
  charset: Text,
  collation: Text,
  databaseCollation: TextOrNull,
  timeZone: TextOrNull,
  createdAt: Type.Union([Type.Integer(), Type.Null()]),
  table: TextOrNull,
  orderedAfter: TextOrNull,
  grants: Type.Array(Grant),
})

const ContentsSchema = Type.Object({
  version: Type.Literal(1),
  /** The source's name, which its programs may mention. */
  schema: Text,
  flavour: Type.Union([Type.Literal('MariaDB'), Type.Literal('MySQL')]),
  /** Like 101119 or 80036. */
  serverVersion: Type.Integer(),
  charset: Text,
  collation: Text,
  comment: Text,
  /** 0: names of tables are case-sensitive; 1: stored in lower case; 2: compared in lower case. */
  lowerCaseTableNames: Type.Integer({ minimum: 0, maximum: 2 }),
  counting: Type.Union([Type.Literal('exact'), Type.Literal('estimate'), Type.Literal('off')]),
  /** Why counts are not exact, in words; null if they are, or nobody asked for that. */
  reason: TextOrNull,
  tables: Type.Array(Table),
  /** History of versioned tables is in the dump, and was counted and digested with it. */
  history: Type.Boolean(),
  programs: Type.Array(ProgramSchema),
  /** Accounts and roles as the server keeps them, `user@host`; those it does not have, apart. */
  definers: Type.Object({ existing: Texts, missing: Texts }),
  /** Of the schema, tables, columns and programs: a server without one of them cannot take the dump. */
  collations: Texts,
  /** Storage engines, likewise. */
  engines: Texts,
  /** What a filter kept out of the dump; null if that is nothing. */
  leftOut: Type.Union([Type.Object({ tables: Texts, rowsOf: Texts, programs: Texts }), Type.Null()]),
  /** A server whose max_allowed_packet is smaller cannot take the dump. */
  largestStatementBytes: Count,
})

/** What a dump holds and what a restore of it must find: the attachment `contents`. */
export type Contents = Omit<Static<typeof ContentsSchema>, 'programs'> & {
  readonly programs: readonly Program[]
}
export type ContentsTable = Contents['tables'][number]

const validator = Compile(ContentsSchema)

/** The attachment in which contents are stored. */
export function writeContents(contents: Contents): Attachment {
  return contentsAttachment(contents)
}

/** Throws ARTIFACT_CORRUPT for what {@link writeContents} has not written, MANIFEST_UNSUPPORTED for a later version. */
export function readContents(attachments: readonly Attachment[]): Contents {
  return contentsIn(attachments, validator, 'version')
}

/** Equal for tables with the same definition in schemas of any name, whatever number they give out next. */
export function definitionDigest({ createSql }: Pick<TableObject, 'createSql'>, schema: string): string {
  const anywhere = requalify(createSql, schema, '')
  const text = [...tokensOf(anywhere)]
    // such as how old the format of a column is
    .filter(({ kind }) => kind !== 'comment')
    .map(({ source }) => source)
    .join('')
    .replace(/^(\).*?) AUTO_INCREMENT=\d+/m, '$1')
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
