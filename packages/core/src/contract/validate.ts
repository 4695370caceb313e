import type { Static, TSchema } from 'typebox'
import type { Validator } from 'typebox/compile'
import { Compile } from 'typebox/compile'
import { AppError } from '../errors.ts'

const compiled = new WeakMap<TSchema, Validator>()

/** Returns `data` as what the schema says, or throws INVALID_REQUEST naming each wrong place, never its value. */
export function validate<Schema extends TSchema>(
  what: string,
  schema: Schema,
  data: unknown,
): Static<Schema> {
  let validator = compiled.get(schema)
  if (!validator) {
    validator = Compile(schema)
    compiled.set(schema, validator)
  }
  // the checked boundary: Check has just proven the shape that the cast claims
  if (validator.Check(data)) return data as Static<Schema>
  const places = validator.Errors(data).slice(0, 5)
  const problems = places.map(
    (error) => `${error.instancePath === '' ? '/' : error.instancePath} ${error.message}`,
  )
  throw new AppError('INVALID_REQUEST', `${what} is not valid: ${problems.join('; ')}`)
}
