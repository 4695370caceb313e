import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReceivedEvent } from '../testing/read-events.ts'
import { readEvents } from '../testing/read-events.ts'
import type { TestApi } from '../testing/test-api.ts'
import { startTestApi, until } from '../testing/test-api.ts'

let api: TestApi
let address: string
beforeAll(async () => {
  api = await startTestApi()
  address = await api.listen()
  await api.call('POST', '/v1/targets', { body: { name: 'shop', url: api.makeDatabase('shop') } })
})
afterAll(() => api.close())

let count = 0
const ask = async () => {
  count += 1
  const { body } = await api.call('POST', '/v1/backups', {
    body: { target: 'shop', note: `number ${count}` },
  })
  return String(body.id)
}
const cancel = (id: string) => api.call('POST', `/v1/operations/${id}/cancel`)

/** Opens a stream and gathers what it sends. */
async function follow(path: string, headers: Record<string, string> = {}, key = api.keys.viewer) {
  const stop = new AbortController()
  const response = await fetch(`${address}${path}`, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    signal: stop.signal,
  })
  const events: ReceivedEvent[] = []
  const ended = (async () => {
    for await (const event of readEvents(response)) if (event.event !== null) events.push(event)
  })().catch(() => undefined)
  return { response, events, ended, stop: () => stop.abort() }
}

const statesOf = (events: readonly ReceivedEvent[]) => events.map(({ data }) => [data.id, data.state])

describe('the events of one operation', () => {
  it('begin with how it is and end with its end', async () => {
    const id = await ask()
    const stream = await follow(`/v1/operations/${id}/events`)
    expect(stream.response.status).toBe(200)
    expect(stream.response.headers.get('content-type')).toContain('text/event-stream')
    expect(stream.response.headers.get('cache-control')).toBe('no-store')
    await until(() => stream.events.length > 0)
    await cancel(id)
    await stream.ended
    expect(statesOf(stream.events)).toEqual([
      [id, 'queued'],
      [id, 'cancelled'],
    ])
    expect(stream.events.map(({ event }) => event)).toEqual(['operation', 'operation'])
    expect(stream.events[1]?.id).toMatch(/^\d+-\d+$/)
  })

  it('are at once at their end for a finished one', async () => {
    const id = await ask()
    await cancel(id)
    const stream = await follow(`/v1/operations/${id}/events`)
    await stream.ended
    expect(statesOf(stream.events)).toEqual([[id, 'cancelled']])
  })

  it('are a 404 for an unknown one', async () => {
    const stream = await follow('/v1/operations/00000000-0000-7000-8000-000000000000/events')
    expect(stream.response.status).toBe(404)
  })
})

describe('the events of all operations', () => {
  it('tell of each change from now on', async () => {
    const before = await ask()
    const stream = await follow('/v1/events')
    const id = await ask()
    await cancel(id)
    await until(() => stream.events.some(({ data }) => data.id === id && data.state === 'cancelled'))
    expect(statesOf(stream.events)).not.toContainEqual([before, 'queued'])
    stream.stop()
  })

  it('go on where an earlier stream ended', async () => {
    const first = await follow('/v1/events')
    const seen = await ask()
    await cancel(seen)
    await until(() => first.events.some(({ data, id }) => data.id === seen && id !== '0-0'))
    first.stop()
    const missed = await ask()
    await cancel(missed)

    const lastEventId = first.events.at(-1)?.id ?? ''
    const second = await follow('/v1/events', { 'last-event-id': lastEventId })
    await until(() => second.events.some(({ data }) => data.id === missed))
    expect(statesOf(second.events)).toContainEqual([missed, 'cancelled'])
    second.stop()
    expect((await api.call('GET', '/v1/events', { headers: { 'last-event-id': 'x' } })).status).toBe(400)
  })

  it('tell of changes even if no event does', async () => {
    const id = await ask()
    const stream = await follow('/v1/events')
    await api.deps.catalog.operations.requestCancel(id)
    await until(() => stream.events.some(({ data }) => data.id === id && data.state === 'cancelled'))
    stream.stop()
  })

  it('survive a Redis that loses its data', async () => {
    const stream = await follow('/v1/events')
    await api.redis.flush()
    const id = await ask()
    await until(() => stream.events.some(({ data }) => data.id === id))
    stream.stop()
  })
})

describe('a stream', () => {
  it('is refused beyond a bound, and its place is free again once it ended', async () => {
    const streams = await Promise.all(Array.from({ length: 256 }, () => follow('/v1/events')))
    expect(new Set(streams.map(({ response }) => response.status))).toEqual(new Set([200]))
    const refused = await follow('/v1/events')
    expect(refused.response.status).toBe(429)
    for (const stream of streams) stream.stop()
    await until(async () => {
      const again = await follow('/v1/events')
      again.stop()
      return again.response.status === 200
    })
  })
})
