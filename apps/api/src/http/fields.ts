import type { ErrorCode, Failure } from '@holdfast/core'
import { ERROR_CODES } from '@holdfast/core'
import type { Static, TSchema } from 'typebox'
import { Type } from 'typebox'

// Pieces of which views are made.

/** The schema or null. */
export function orNull<Schema extends TSchema>(schema: Schema) {
  return Type.Union([schema, Type.Null()])
}

/** One of these texts. */
export function oneOf<const Text extends string>(texts: readonly Text[]) {
  return Type.Unsafe<Text>(Type.String({ enum: [...texts] }))
}

const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

/** An id, and of what. */
export function idOf(description: string) {
  return Type.String({ pattern: UUID, description })
}

export const Moment = Type.String({ format: 'date-time' })
export const Count = Type.Integer({ minimum: 0 })

/** An object of any keys; unlike a record it takes keys of any characters, as tables may be called anything. */
export function mapOf<Schema extends TSchema>(schema: Schema, description?: string) {
  const described = description === undefined ? {} : { description }
  return Type.Unsafe<Record<string, Static<Schema>>>({
    type: 'object',
    additionalProperties: schema,
    ...described,
  })
}

export const Texts = mapOf(Type.String())
export const Details = mapOf(Type.Union([Type.String(), Type.Number(), Type.Boolean()]))

/** What went wrong, as far as it may be shown. */
export const FailureView = Type.Object({
  code: oneOf<ErrorCode>(ERROR_CODES),
  detail: Type.String(),
  hint: orNull(Type.String()),
})

export function toFailureView(failure: Failure) {
  return { code: failure.code, detail: failure.detail, hint: failure.hint }
}
