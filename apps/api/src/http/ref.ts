import type { Static, TSchema } from 'typebox'
import { Type } from 'typebox'

/** A reference to a schema that the application knows by its `$id`, keeping its type. */
export function refTo<Schema extends TSchema>(schema: Schema) {
  return Type.Unsafe<Static<Schema>>({ $ref: `${idOf(schema)}#` })
}

/** The `$id` of a schema that has one. */
export function idOf(schema: TSchema): string {
  if ('$id' in schema && typeof schema.$id === 'string') return schema.$id
  throw new TypeError('only a schema with an $id can be referred to')
}
