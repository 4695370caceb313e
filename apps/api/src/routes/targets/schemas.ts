import type { Target, TargetCheck, TargetOptions } from '@holdfast/core'
import { NameSchema, TargetOptionsSchema } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Count, Details, Moment, orNull, Texts } from '../../http/fields.ts'
import { pageQuery } from '../../http/page.ts'

export const TargetParams = Type.Object({ name: NameSchema }, { additionalProperties: false })

export const TargetListQuery = Type.Object(
  { environment: Type.Optional(NameSchema), ...pageQuery },
  { additionalProperties: false },
)

export const TargetView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    engine: Type.String(),
    url: Type.String({ description: 'Without credentials' }),
    environment: orNull(Type.String()),
    labels: Texts,
    options: Type.Unsafe<TargetOptions>(TargetOptionsSchema),
    createdAt: Moment,
    updatedAt: Moment,
  },
  { $id: 'Target' },
)
export type TargetView = Static<typeof TargetView>

/** The only place where a target becomes JSON. */
export function toTargetView(target: Target): TargetView {
  return {
    id: target.id,
    name: target.name,
    engine: target.engine,
    url: target.displayUrl,
    environment: target.environment,
    labels: { ...target.labels },
    options: target.options,
    createdAt: target.createdAt,
    updatedAt: target.updatedAt,
  }
}

export const TargetCheckView = Type.Object(
  {
    target: Type.String(),
    version: Type.String({ description: 'Of the server or the file format' }),
    toolVersion: Type.String({ description: 'Of the program or library that backs it up' }),
    sizeBytes: Count,
    databases: orNull(
      Type.Array(Type.String(), {
        description: 'Of a target that names a server: the databases that a backup of it would be of',
      }),
    ),
    details: Details,
    warnings: Type.Array(Type.String()),
  },
  { $id: 'TargetCheck' },
)
export type TargetCheckView = Static<typeof TargetCheckView>

export function toTargetCheckView(target: string, info: TargetCheck): TargetCheckView {
  return {
    target,
    version: info.version,
    toolVersion: info.toolVersion,
    sizeBytes: info.sizeBytes,
    databases: info.databases && [...info.databases],
    details: { ...info.details },
    warnings: [...info.warnings],
  }
}
