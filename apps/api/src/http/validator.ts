import { AppError } from '@holdfast/core'
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Value } from 'typebox/value'

const MOST_PROBLEMS = 5
const PARTS: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
}

/**
 * Checks a part of a request. Bodies are taken as they are; texts of queries, paths and headers become numbers and
 * booleans where the schema says so. Problems name places, never values.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  const part = PARTS[httpPart ?? 'body'] ?? 'request'
  return (value: unknown) => {
    const candidate: unknown = httpPart === 'body' ? value : Value.Convert(schema, value)
    if (validator.Check(candidate)) return { value: candidate }
    // an unknown property is reported twice, once by its own name as 'schema is false'
    const found = validator.Errors(candidate).filter((problem) => problem.keyword !== 'boolean')
    const problems = found.slice(0, MOST_PROBLEMS)
    const texts = problems.map(
      (problem) => `${problem.instancePath || '/'} ${problem.message}${unknownNames(problem)}`,
    )
    return { error: new AppError('INVALID_REQUEST', `the ${part} is not valid: ${texts.join('; ')}`) }
  }
}

/** Names of properties that nobody asked for, as far as they are harmless to repeat. */
function unknownNames(problem: { readonly params: object }): string {
  const names: unknown = 'additionalProperties' in problem.params ? problem.params.additionalProperties : null
  if (!Array.isArray(names)) return ''
  const harmless = names.filter((name) => typeof name === 'string' && /^[a-zA-Z0-9_-]{1,32}$/.test(name))
  return harmless.length === 0 ? '' : ` (${harmless.slice(0, MOST_PROBLEMS).join(', ')})`
}
