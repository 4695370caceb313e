import { readFileSync } from 'node:fs'
import type { Validator, XSchema } from 'typebox/schema'
import { HoldfastError } from './holdfast-error.ts'
import type { RequestQueue } from './payloads.ts'

const PLACES_SHOWN = 5
const validators = new Map<RequestQueue, Validator>()

/** Throws INVALID_REQUEST naming each wrong place, never its value, unless the published schema allows the payload. */
export async function validatePayload(queue: RequestQueue, payload: unknown): Promise<void> {
  const validator = validators.get(queue) ?? (await compile(queue))
  validators.set(queue, validator)
  if (validator.Check(payload)) return
  const [, errors] = validator.Errors(payload)
  const problems = errors
    .slice(0, PLACES_SHOWN)
    .map((error) => `${error.instancePath === '' ? '/' : error.instancePath} ${error.message}`)
  throw new HoldfastError({
    code: 'INVALID_REQUEST',
    detail: `a ${queue} payload is not valid: ${problems.join('; ')}`,
    hint: `schemas/${queue}.v1.json describes it`,
  })
}

async function compile(queue: RequestQueue): Promise<Validator> {
  const { Compile } = await import('typebox/schema')
  const text = readFileSync(new URL(`../schemas/${queue}.v1.json`, import.meta.url), 'utf8')
  // the checked boundary: a test compares the file with the schema of the service
  return Compile(JSON.parse(text) as XSchema)
}
