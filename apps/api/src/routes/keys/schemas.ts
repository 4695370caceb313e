import type { ApiKey } from '@holdfast/core'
import { NameSchema, ROLES } from '@holdfast/core'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Moment, oneOf, orNull } from '../../http/fields.ts'

export const KeyParams = Type.Object({ name: NameSchema }, { additionalProperties: false })

export const KeyBody = Type.Object({ name: NameSchema, role: oneOf(ROLES) }, { additionalProperties: false })

export const KeyView = Type.Object(
  {
    name: Type.String(),
    role: oneOf(ROLES),
    createdAt: Moment,
    lastUsedAt: orNull(Moment),
    revokedAt: orNull(Moment),
  },
  { $id: 'ApiKey' },
)
export type KeyView = Static<typeof KeyView>

export const KeyListView = Type.Object({ items: Type.Array(Type.Unsafe<KeyView>({ $ref: 'ApiKey#' })) })

export const NewKeyView = Type.Object({
  name: Type.String(),
  role: oneOf(ROLES),
  createdAt: Moment,
  key: Type.String({ description: 'Shown this once; only its hash is kept' }),
})

export function toKeyView(key: ApiKey): KeyView {
  return {
    name: key.name,
    role: key.role,
    createdAt: key.createdAt,
    lastUsedAt: key.lastUsedAt,
    revokedAt: key.revokedAt,
  }
}
