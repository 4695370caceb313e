import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

const register = (body: object) => api.call('POST', '/v1/targets', { body })

describe('registering a target', () => {
  it('answers 201 with its location and never connects', async () => {
    const body = {
      name: 'not-there-yet',
      url: `sqlite://${api.directory}/later.db`,
      environment: 'staging',
      labels: { team: 'shop' },
      options: { compression: 'gzip', verify: 'restore', include: [`${api.directory}/files`] },
    }
    const answer = await register(body)
    expect(answer.status).toBe(201)
    expect(answer.headers.location).toBe('/v1/targets/not-there-yet')
    expect(answer.body).toMatchObject({ ...body, engine: 'sqlite' })
    expect((await api.call('GET', '/v1/targets/not-there-yet')).body).toEqual(answer.body)
  })

  it('answers 409 to a name that is or ever was in use', async () => {
    const url = api.makeDatabase('once')
    expect((await register({ name: 'once', url })).status).toBe(201)
    expect((await register({ name: 'once', url })).body).toMatchObject({ status: 409, code: 'TARGET_EXISTS' })
    expect((await api.call('DELETE', '/v1/targets/once')).status).toBe(204)
    expect((await api.call('GET', '/v1/targets/once')).status).toBe(404)
    expect((await register({ name: 'once', url })).body).toMatchObject({ status: 409, code: 'TARGET_EXISTS' })
  })

  it.each([
    ['https://example.com/db', 'UNSUPPORTED_ENGINE'],
    ['file:///etc/passwd', 'UNSUPPORTED_ENGINE'],
    ['nonsense', 'INVALID_CONNECTION'],
    ['sqlite://host/path', 'INVALID_CONNECTION'],
    ['sqlite:relative.db', 'INVALID_CONNECTION'],
    ['sqlite:///a%00b', 'INVALID_CONNECTION'],
  ])('answers 422 to the URL %s', async (url, code) => {
    expect((await register({ name: 'refused', url })).body).toMatchObject({ status: 422, code })
  })

  it.each(['latest', '00000000-0000-7000-8000-000000000000'])('answers 400 to the name %s', async (name) => {
    expect((await register({ name, url: 'sqlite:///x.db' })).body).toMatchObject({
      status: 400,
      code: 'INVALID_REQUEST',
    })
  })

  it('never shows a secret of the URL, wherever it stands', async () => {
    const secret = 'c4nary-s3cret'
    const urls = [
      `sqlite://user:${secret}@/data/a.db`,
      `sqlite:///data/a.db?key=${secret}`,
      `sqlite:///data/a.db#${secret}`,
      `postgres://user:${secret}@db,other/shop`,
      `postgres://user:${secret}@db/shop?unknown=1`,
      `postgres://user@db/shop?password=${secret}`,
      `mysql://user:${secret}@db,other/shop`,
      `mariadb://user@db/shop?password=${secret}`,
      `oracle://user:${secret}@db/shop`,
      `ftp://${secret}`,
      `${secret}`,
      `sqlite://${secret}%zz`,
    ]
    for (const url of urls) {
      const answer = await register({ name: 'canary', url })
      expect(answer.status, url).toBe(422)
      expect(answer.text + JSON.stringify(answer.headers)).not.toContain(secret)
    }
    const url = `postgres://user:${secret}@db/shop`
    const accepted = await register({ name: 'canary', url })
    expect(accepted.body).toMatchObject({ engine: 'postgres', url: 'postgres://user@db:5432/shop' })
    expect(accepted.text).not.toContain(secret)
    const audit = await api.call('GET', '/v1/audit')
    expect(audit.text).toContain('target.register')
    expect(audit.text).not.toContain(secret)
    expect(api.logged()).toContain('INVALID_CONNECTION')
    expect(api.logged()).not.toContain(secret)
  })
})

describe('reading targets', () => {
  it('pages through them, newest first, by environment', async () => {
    for (const name of ['list-1', 'list-2', 'list-3']) {
      await register({ name, url: `sqlite://${api.directory}/${name}.db`, environment: 'listed' })
    }
    const first = await api.call('GET', '/v1/targets?environment=listed&limit=2')
    expect(first.body.items.map(({ name }: { name: string }) => name)).toEqual(['list-3', 'list-2'])
    expect(first.body.total).toBe(3)
    const { nextCursor } = first.body
    const second = await api.call('GET', `/v1/targets?environment=listed&limit=2&cursor=${nextCursor}`)
    expect(second.body).toMatchObject({ items: [{ name: 'list-1' }], nextCursor: null, total: 3 })
  })
})

describe('changing a target', () => {
  it('changes what is given and leaves the rest', async () => {
    await register({ name: 'changing', url: `sqlite://${api.directory}/a.db`, labels: { a: '1' } })
    const url = `sqlite://${api.directory}/b.db`
    const answer = await api.call('PATCH', '/v1/targets/changing', {
      body: { url, environment: 'production' },
    })
    expect(answer.body).toMatchObject({
      name: 'changing',
      url,
      environment: 'production',
      labels: { a: '1' },
    })
    const cleared = await api.call('PATCH', '/v1/targets/changing', {
      body: { environment: null, labels: {} },
    })
    expect(cleared.body).toMatchObject({ url, environment: null, labels: {} })
  })

  it('answers 400 to a name and 404 to nobody', async () => {
    expect((await api.call('PATCH', '/v1/targets/changing', { body: { name: 'other' } })).status).toBe(400)
    expect((await api.call('PATCH', '/v1/targets/nobody', { body: { labels: {} } })).status).toBe(404)
  })
})

describe('checking a target', () => {
  it('reports what is there', async () => {
    await register({ name: 'there', url: api.makeDatabase('there') })
    const answer = await api.call('POST', '/v1/targets/there/check', { key: 'operator' })
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body).toMatchObject({
      target: 'there',
      version: expect.any(String),
      sizeBytes: expect.any(Number),
      warnings: expect.any(Array),
    })
  })

  it.each([
    ['missing', 'DATABASE_NOT_FOUND', () => {}],
    ['empty', 'DATABASE_EMPTY', (file: string) => writeFileSync(file, '')],
    ['text', 'DATABASE_INVALID', (file: string) => writeFileSync(file, 'no database at all\n'.repeat(100))],
  ])('answers 422 to a database that is %s', async (name, code, make) => {
    const file = join(api.directory, `${name}.db`)
    make(file)
    await register({ name, url: `sqlite://${file}` })
    const answer = await api.call('POST', `/v1/targets/${name}/check`)
    expect(answer.body).toMatchObject({ status: 422, code })
  })

  it('answers 422 to a path outside the allowed directories', async () => {
    await register({ name: 'outside', url: 'sqlite:///etc/passwd' })
    expect((await api.call('POST', '/v1/targets/outside/check')).body).toMatchObject({
      status: 422,
      code: 'PATH_NOT_ALLOWED',
    })
  })
})
