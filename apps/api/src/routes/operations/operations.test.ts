import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'

// no worker runs here: what is asked for stays queued until the tests say otherwise

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await api.call('POST', '/v1/targets', { body: { name: 'shop', url: api.makeDatabase('shop') } })
})
afterAll(() => api.close())

let count = 0
const ask = async () => {
  count += 1
  const answer = await api.call('POST', '/v1/backups', { body: { target: 'shop', note: `number ${count}` } })
  return String(answer.body.id)
}
const timed = async <Answer>(work: () => Promise<Answer>) => {
  const before = performance.now()
  const answer = await work()
  return { answer, tookMs: performance.now() - before }
}

describe('reading operations', () => {
  it('lists them newest first, by state, type, target and backup', async () => {
    const [one, two] = [await ask(), await ask()]
    const ids = async (query: string) => {
      const { body } = await api.call('GET', `/v1/operations?${query}`)
      return body.items.map(({ id }: { id: string }) => id)
    }
    expect(await ids('state=queued&type=backup&target=shop')).toEqual([two, one])
    expect(await ids('state=completed')).toEqual([])
    expect(await ids('type=restore')).toEqual([])
    const { body } = await api.call('GET', `/v1/operations/${one}`)
    expect(await ids(`backupId=${body.backupId}`)).toEqual([one])
  })

  it('answers 404 to an id that is none', async () => {
    const answer = await api.call('GET', '/v1/operations/00000000-0000-7000-8000-000000000000?wait=30')
    expect(answer.body).toMatchObject({ status: 404, code: 'OPERATION_NOT_FOUND' })
  })
})

describe('a long poll', () => {
  it('answers when the time has passed', async () => {
    const id = await ask()
    const { answer, tookMs } = await timed(() => api.call('GET', `/v1/operations/${id}?wait=0.3`))
    expect(answer.body).toMatchObject({ id, state: 'queued' })
    expect(tookMs).toBeGreaterThan(280)
    expect(tookMs).toBeLessThan(2_000)
  })

  it('answers as soon as the operation is finished', async () => {
    const id = await ask()
    const poll = timed(() => api.call('GET', `/v1/operations/${id}?wait=30`))
    setTimeout(() => void api.call('POST', `/v1/operations/${id}/cancel`), 200)
    const { answer, tookMs } = await poll
    expect(answer.body).toMatchObject({ state: 'cancelled' })
    expect(tookMs).toBeLessThan(5_000)
  })

  it('notices the end even if no event tells of it', async () => {
    const id = await ask()
    const poll = timed(() => api.call('GET', `/v1/operations/${id}?wait=30`))
    setTimeout(() => void api.deps.catalog.operations.requestCancel(id), 200)
    const { answer, tookMs } = await poll
    expect(answer.body).toMatchObject({ state: 'cancelled' })
    expect(tookMs).toBeLessThan(5_000)
  })
})

describe('cancelling', () => {
  it('ends what waits at once, and only once', async () => {
    const id = await ask()
    const answer = await api.call('POST', `/v1/operations/${id}/cancel`, { key: 'operator' })
    expect(answer.status).toBe(202)
    expect(answer.body).toMatchObject({ id, state: 'cancelled', cancelRequested: true })
    expect((await api.call('POST', `/v1/operations/${id}/cancel`)).body).toMatchObject({
      status: 409,
      code: 'OPERATION_FINISHED',
    })
    const backup = await api.call('GET', `/v1/backups/${answer.body.backupId}`)
    expect(backup.body).toMatchObject({ status: 'failed' })
  })
})

describe('undoing', () => {
  it('answers 409 to what is no restore', async () => {
    const id = await ask()
    expect((await api.call('POST', `/v1/operations/${id}/undo`)).body).toMatchObject({
      status: 409,
      code: 'UNDO_NOT_POSSIBLE',
    })
  })
})

describe('retention', () => {
  it('is accepted once however often it is asked for', async () => {
    const first = await api.call('POST', '/v1/retention/apply')
    const second = await api.call('POST', '/v1/retention/apply', { body: {} })
    expect([first.status, first.body.coalesced]).toEqual([202, false])
    expect([second.status, second.body.coalesced, second.body.id]).toEqual([202, true, first.body.id])
  })
})
