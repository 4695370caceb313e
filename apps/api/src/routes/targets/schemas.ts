import type { DatabaseInfo, Target } from '@holdfast/core'
import { NameSchema } from '@holdfast/core'
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
    options: Type.Object({
      include: Type.Optional(Type.Array(Type.String())),
      compression: Type.Optional(Type.String()),
      verify: Type.Optional(Type.String()),
    }),
    createdAt: Moment,
    updatedAt: Moment,
  },
  { $id: 'Target' },
)
export type TargetView = Static<typeof TargetView>

/** The only place where a target becomes JSON. */
export function toTargetView(target: Target): TargetView {
  const { include, ...options } = target.options
  return {
    id: target.id,
    name: target.name,
    engine: target.engine,
    url: target.displayUrl,
    environment: target.environment,
    labels: { ...target.labels },
    options: { ...options, ...(include === undefined ? {} : { include: [...include] }) },
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
    details: Details,
    warnings: Type.Array(Type.String()),
  },
  { $id: 'TargetCheck' },
)
export type TargetCheckView = Static<typeof TargetCheckView>

export function toTargetCheckView(target: string, info: DatabaseInfo): TargetCheckView {
  return {
    target,
    version: info.version,
    toolVersion: info.toolVersion,
    sizeBytes: info.sizeBytes,
    details: { ...info.details },
    warnings: [...info.warnings],
  }
}
