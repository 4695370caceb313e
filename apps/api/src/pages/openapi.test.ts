import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi } from '../testing/test-api.ts'

interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly security?: readonly object[]
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, { readonly description?: string }>>
}

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

let api: TestApi
let document: Document
let text: string
beforeAll(async () => {
  api = await startTestApi()
  const answer = await api.call('GET', '/openapi.json', { key: null })
  text = answer.text
  document = answer.body
})
afterAll(() => api.close())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method,
      operation,
      where: `${method} ${path}`,
    })),
  )

describe('the OpenAPI document', () => {
  it('describes every call of the API and no other', () => {
    const described = operations().map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    const served = api
      .routes()
      .filter(({ method, url }) => method !== 'HEAD' && !/^\/($|docs|queues|openapi)/.test(url))
      .map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(described.toSorted()).toEqual([...new Set(served)].toSorted())
  })

  it('is complete: an id, a summary, a tag, the role and all answers for each', () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(document.info).toMatchObject({
      title: 'Holdfast',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { operation, path, where } of operations()) {
      expect(operation.operationId, where).toMatch(/^[a-z][A-Za-z]+$/)
      expect(operation.summary?.length, where).toBeGreaterThan(4)
      expect(operation.tags, where).toHaveLength(1)
      expect(operation.description, where).toMatch(/Needs (no key|a key of role (viewer|operator|admin))\.$/)
      expect(
        Object.keys(operation.responses).some((status) => status.startsWith('2')),
        where,
      ).toBe(true)
      const isPublic = operation.description?.endsWith('Needs no key.')
      if (isPublic) expect(operation.security, where).toEqual([])
      else expect(Object.keys(operation.responses), where).toEqual(expect.arrayContaining(['4XX', '5XX']))
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? []
      expect(
        described.map(({ name }) => name),
        where,
      ).toEqual(inPath)
    }
  })

  it('refers only to schemas that it has', () => {
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? '')
    expect(references.length).toBeGreaterThan(10)
    for (const reference of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1] ?? reference
      expect(Object.keys(document.components.schemas)).toContain(name)
    }
  })

  it('has the fields that clients rely on', () => {
    const { Backup, Operation, Problem } = document.components.schemas
    const fields = (schema: unknown) => Object.keys(Reflect.get(Object(schema), 'properties'))
    expect(fields(Problem)).toEqual(['type', 'title', 'status', 'code', 'detail', 'hint', 'requestId'])
    const ofBackup =
      'id target engine mode kind status parentId format sizeBytes storedBytes recordCount rowCounts fileCount ' +
      'serverVersion toolVersion compression encryption storage storagePath checksum labels note pinned suspicious ' +
      'warnings requestedBy startedAt completedAt expiresAt consistentAt durationMs engineDetails verification error'
    expect(fields(Backup)).toEqual(expect.arrayContaining(ofBackup.split(' ')))
    const ofOperation =
      'id type target state phase progress coalesced backupId result error createdAt startedAt finishedAt'
    expect(fields(Operation)).toEqual(expect.arrayContaining(ofOperation.split(' ')))
  })
})

describe('the page of the API', () => {
  it('needs no key and loads nothing from elsewhere', async () => {
    const root = await api.call('GET', '/', { key: null })
    expect(root).toMatchObject({ status: 302, headers: { location: '/docs' } })
    const page = await api.call('GET', '/docs/', { key: null })
    expect(page.status).toBe(200)
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.headers['content-security-policy']).not.toContain('http')
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '')
    expect(loaded.length).toBeGreaterThan(3)
    for (const url of loaded) {
      expect(url).toMatch(/^\.\/static\//)
      expect((await api.call('GET', `/docs/${url.slice(2)}`, { key: null })).status, url).toBe(200)
    }
    expect(page.text).not.toMatch(/<script>(?!<)/)
  })

  it('cannot be left for other files', async () => {
    for (const url of ['/docs/static/..%2f..%2fpackage.json', '/docs/static/%2e%2e/package.json']) {
      expect((await api.call('GET', url, { key: null })).status, url).toBeGreaterThanOrEqual(400)
    }
  })
})
