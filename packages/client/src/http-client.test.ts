import { text } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { HoldfastClient } from './http-client.ts'
import { createHoldfastClient } from './http-client.ts'
import type { ScriptedAnswer, ScriptedServer } from './testing/scripted-server.ts'
import { hangUp, json, problem, silence, startScriptedServer } from './testing/scripted-server.ts'

const KEY = 'hf_a-secret-that-nobody-may-see'
const OPERATION = { id: 'op-1', state: 'running', progress: { bytes: 1 } }

let server: ScriptedServer | null = null
afterEach(async () => {
  await server?.close()
  server = null
})

async function clientOf(...answers: readonly ScriptedAnswer[]) {
  server = await startScriptedServer(...answers)
  const client = createHoldfastClient({ url: server.url, apiKey: KEY, timeoutMs: 300 })
  return { client, seen: server.seen }
}

describe('the HTTP client', () => {
  it('sends the key as a bearer token, bodies as JSON and filters as a query', async () => {
    const { client, seen } = await clientOf(
      json(200, { items: [], nextCursor: null, total: 0 }),
      json(202, OPERATION),
    )
    await client.backups.list({ target: 'shop', limit: 5, status: undefined })
    await client.backups.restore('my backup/1', { into: { target: 'shop' } }, { idempotencyKey: 'k 1' })
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/v1/backups?target=shop&limit=5' })
    expect(seen[0]?.headers.authorization).toBe(`Bearer ${KEY}`)
    expect(seen[1]).toMatchObject({
      method: 'POST',
      url: '/v1/backups/my%20backup%2F1/restore',
      body: '{"into":{"target":"shop"}}',
    })
    expect(seen[1]?.headers).toMatchObject({ 'idempotency-key': 'k 1', 'content-type': 'application/json' })
  })

  it('keeps a path before the API and needs no trailing slash to be left out', async () => {
    server = await startScriptedServer(json(200, {}))
    const client = createHoldfastClient({ url: `${server.url}/backups/`, apiKey: KEY })
    await client.stats()
    expect(server.seen[0]?.url).toBe('/backups/v1/stats')
  })

  it('rejects with what the service says is wrong', async () => {
    const { client } = await clientOf(problem(404, 'TARGET_NOT_FOUND'))
    await expect(client.targets.get('shop')).rejects.toMatchObject({
      name: 'HoldfastError',
      code: 'TARGET_NOT_FOUND',
      detail: 'detail of TARGET_NOT_FOUND',
      hint: 'a hint',
      status: 404,
      requestId: 'r-1',
    })
  })

  it('repeats what changes nothing when nobody answers', async () => {
    const { client, seen } = await clientOf(
      hangUp,
      problem(503, 'CATALOG_UNAVAILABLE'),
      json(200, { name: 'shop' }),
    )
    expect(await client.targets.get('shop')).toEqual({ name: 'shop' })
    expect(seen).toHaveLength(3)
  })

  it('repeats what changes something only under an idempotency key', async () => {
    const { client, seen } = await clientOf(hangUp, json(202, OPERATION))
    await expect(client.backups.request({ target: 'shop' })).rejects.toMatchObject({ code: 'UNREACHABLE' })
    expect(seen).toHaveLength(1)
    await client.backups.request({ target: 'shop' }, { idempotencyKey: 'once' })
    await server?.close()
    const again = await clientOf(hangUp, json(202, OPERATION))
    await again.client.backups.request({ target: 'shop' }, { idempotencyKey: 'once' })
    expect(again.seen.map((request) => request.headers['idempotency-key'])).toEqual(['once', 'once'])
  })

  it('does not repeat what the service refuses, nor wait longer than a person would', async () => {
    const { client, seen } = await clientOf(problem(429, 'RATE_LIMITED', { 'retry-after': '60' }))
    await expect(client.stats()).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 60_000 })
    expect(seen).toHaveLength(1)
  })

  it('calls a service that nobody answers for unreachable, in bounded time', async () => {
    server = await startScriptedServer()
    const { url } = server
    await server.close()
    server = null
    const client = createHoldfastClient({ url, apiKey: KEY })
    await expect(client.stats()).rejects.toMatchObject({ code: 'UNREACHABLE', status: null })

    const silent = await clientOf(silence)
    const startedAt = performance.now()
    await expect(silent.client.targets.remove('shop')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      detail: expect.stringContaining('no answer within 300 ms'),
    })
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  it('gives up on an answer that stops in the middle', async () => {
    const { client } = await clientOf((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.write('{"half":')
    })
    await expect(client.keys.revoke('x')).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('says so when something else answers', async () => {
    const page: ScriptedAnswer = (response) => response.end('<html>a proxy</html>')
    const { client } = await clientOf(page)
    await expect(client.stats()).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER' })
    await server?.close()
    const moved: ScriptedAnswer = (response) =>
      response.writeHead(301, { location: 'http://127.0.0.1:1/' }).end()
    const redirected = await clientOf(moved)
    await expect(redirected.client.stats()).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER', status: 301 })
  })

  it('rejects with the reason of an aborted signal', async () => {
    const { client } = await clientOf(silence)
    const reason = new Error('enough')
    const controller = new AbortController()
    const asking = client.stats({ signal: controller.signal })
    controller.abort(reason)
    await expect(asking).rejects.toBe(reason)
  })

  it('streams a download with what its bytes must be', async () => {
    const { client, seen } = await clientOf((response) => {
      response.writeHead(200, {
        'content-length': 5,
        'content-disposition': 'attachment; filename="shop-data.zst"',
        'x-checksum-sha256': 'abc',
      })
      response.end('bytes')
    })
    const { stream, ...facts } = await client.backups.download('latest-one', { artifact: 'files' })
    expect(await text(stream)).toBe('bytes')
    expect(facts).toEqual({ fileName: 'shop-data.zst', sizeBytes: 5, sha256: 'abc' })
    expect(seen[0]?.url).toBe('/v1/backups/latest-one/download?artifact=files')
  })

  it('never proposes a file name that leads elsewhere', async () => {
    const { client } = await clientOf((response) => {
      response.writeHead(200, { 'content-disposition': 'attachment; filename="../../etc/passwd"' }).end('x')
    })
    expect((await client.backups.download('x')).fileName).toBeNull()
  })

  it('shows its key nowhere', async () => {
    const client = createHoldfastClient({ url: 'http://127.0.0.1:1', apiKey: KEY, retries: 0 })
    const error = await client.stats().catch((reason: unknown) => reason)
    const bad = () => createHoldfastClient({ url: 'http://127.0.0.1:1', apiKey: `${KEY}\n` })
    const withUser = () => createHoldfastClient({ url: `http://me:${KEY}@127.0.0.1:1`, apiKey: KEY })
    const shown = [client, error, grab(bad), grab(withUser)].map(
      (value) =>
        `${inspect(value, { depth: 9, showHidden: true })} ${JSON.stringify(value)} ${String(value)}`,
    )
    for (const one of shown) expect(one).not.toContain(KEY)
    expect(grab(bad)).toMatchObject({ code: 'INVALID_CONFIGURATION' })
    expect(grab(withUser)).toMatchObject({ code: 'INVALID_CONFIGURATION' })
  })
})

describe('waiting for an operation', () => {
  it('asks again until it is finished and tells of every change', async () => {
    const { client, seen } = await clientOf(
      json(200, { ...OPERATION, state: 'queued' }),
      json(200, OPERATION),
      json(200, OPERATION),
      json(200, { ...OPERATION, state: 'failed', error: { code: 'TOOL_FAILED' } }),
    )
    const states: string[] = []
    const ended = await wait(client, { onProgress: ({ state }) => states.push(state) })
    expect(ended.state).toBe('failed')
    expect(states).toEqual(['queued', 'running', 'failed'])
    expect(seen[0]?.url).toBe('/v1/operations/op-1?wait=0')
  })

  it('asks for long polls where nobody looks at the progress', async () => {
    const { client, seen } = await clientOf(json(200, { ...OPERATION, state: 'completed' }))
    await wait(client)
    expect(seen[0]?.url).toBe('/v1/operations/op-1?wait=25')
  })

  it('outlasts a restart of the service', async () => {
    const { client, seen } = await clientOf(
      json(200, OPERATION),
      hangUp,
      hangUp,
      hangUp,
      problem(503, 'CATALOG_UNAVAILABLE', { 'retry-after': '0' }),
      json(200, { ...OPERATION, state: 'completed' }),
    )
    expect((await wait(client)).state).toBe('completed')
    expect(seen).toHaveLength(6)
  })

  it('gives up when its time is up, and when the operation is not known', async () => {
    const { client } = await clientOf(json(200, OPERATION))
    await expect(wait(client, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await server?.close()
    const other = await clientOf(problem(404, 'OPERATION_NOT_FOUND'))
    await expect(wait(other.client)).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' })
  })
})

function wait(client: HoldfastClient, options?: Parameters<HoldfastClient['operations']['waitFor']>[1]) {
  return client.operations.waitFor('op-1', options)
}

function grab(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}
