import { readdirSync, readFileSync } from 'node:fs'
import type * as core from '@holdfast/core'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { renderSchemas, SCHEMA_DIRECTORY } from '../scripts/render-schemas.ts'
import type { BackupPayload, RestorePayload, RetentionPayload, VerifyPayload } from './payloads.ts'
import type { BackupRequest, RestoreRequest, VerifyRequest } from './requests.ts'
import { validatePayload } from './validate-payload.ts'

describe('the published payload schemas', () => {
  it('are those that workers validate by: `npm run schemas -w @holdfast/client` writes them', () => {
    const committed = readdirSync(SCHEMA_DIRECTORY).map((name) => [
      name,
      JSON.parse(readFileSync(new URL(name, SCHEMA_DIRECTORY), 'utf8')),
    ])
    expect(Object.fromEntries(committed)).toEqual(renderSchemas())
  })

  it('say which dialect they are, what they are and what they are for', () => {
    for (const [name, schema] of Object.entries(renderSchemas())) {
      expect(schema).toMatchObject({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $id: `urn:holdfast:job:${name.replace('.v1.json', '')}:v1`,
        title: expect.stringMatching(/^\w/),
      })
    }
  })

  it('allow what the types allow', () => {
    type Sent<Payload> = Omit<Payload, 'v'> & { v: 1 }
    expectTypeOf<Sent<BackupPayload>>().branded.toEqualTypeOf<core.BackupPayload>()
    expectTypeOf<Sent<RestorePayload>>().branded.toEqualTypeOf<core.RestorePayload>()
    expectTypeOf<Sent<VerifyPayload>>().branded.toEqualTypeOf<core.VerifyPayload>()
    expectTypeOf<Sent<RetentionPayload>>().branded.toEqualTypeOf<core.RetentionPayload>()
    expectTypeOf<BackupRequest>().branded.toEqualTypeOf<core.BackupBody>()
    expectTypeOf<RestoreRequest>().branded.toEqualTypeOf<core.RestoreBody>()
    expectTypeOf<VerifyRequest>().branded.toEqualTypeOf<core.VerifyBody>()
  })
})

describe('validating a payload', () => {
  const longest = { v: 1, target: 'shop', kind: 'pre-migration', retain: '30d', labels: { team: 'a' } }
  const good = [
    ['backup', { v: 1, target: 'shop' }],
    ['backup', { ...longest, include: ['/srv/files'], requestedBy: 'billing', idempotencyKey: 'x' }],
    ['restore', { v: 1, backup: 'before-42', into: { target: 'copy' }, dryRun: false }],
    ['verify', { v: 1, backup: '01900000-0000-7000-8000-000000000000', level: 'restore' }],
    ['retention', { v: 1 }],
  ] as const
  it.each(good)('accepts a good %s payload', async (queue, payload) => {
    await expect(validatePayload(queue, payload)).resolves.toBeUndefined()
  })

  const bad = [
    ['backup', null],
    ['backup', { target: 'shop' }],
    ['backup', { v: 2, target: 'shop' }],
    ['backup', { v: 1, target: 'Shop' }],
    ['backup', { v: 1, target: 'shop', retain: 'for long' }],
    ['backup', { v: 1, target: 'shop', include: ['relative'] }],
    ['restore', { v: 1, backup: 'x', into: { url: 'sqlite:///srv/secret-location.db' } }],
    ['verify', { v: 1, backup: 'x', level: 'deep' }],
    ['retention', { v: 1, target: 'shop' }],
  ] as const
  it.each(bad)('refuses a bad %s payload %j without repeating it', async (queue, payload) => {
    const refusal = await validatePayload(queue, payload).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(String(refusal)).not.toMatch(/secret-location|for long|relative|deep/)
  })
})
