import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'
import { OperationView } from '../operations/schemas.ts'
import { BackupView } from './schemas.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await api.startWorkers()
  for (const name of ['shop', 'other']) {
    await api.call('POST', '/v1/targets', {
      body: { name, url: api.makeDatabase(name), environment: `env-${name}` },
    })
  }
})
afterAll(() => api.close())

const get = (path: string) => api.call('GET', `/v1/backups${path}`)

describe('asking for a backup', () => {
  it('answers 202 with the operation and its location, and carries it out', async () => {
    const body = {
      target: 'shop',
      name: 'first',
      labels: { release: '7' },
      note: 'before the sale',
      retain: '30d',
    }
    const accepted = await api.call('POST', '/v1/backups', { key: 'operator', body })
    expect(accepted.status).toBe(202)
    expect(accepted.headers.location).toBe(`/v1/operations/${accepted.body.id}`)
    expect(accepted.body).toMatchObject({
      type: 'backup',
      target: 'shop',
      coalesced: false,
      requestedBy: 'test-operator',
    })

    const done = await api.call('GET', `${accepted.headers.location}?wait=30`)
    expect(done.body).toMatchObject({ state: 'completed', error: null, backupId: accepted.body.backupId })

    const backup = await get('/first')
    expect(backup.body).toMatchObject({
      id: accepted.body.backupId,
      name: 'first',
      target: 'shop',
      engine: 'sqlite',
      environment: 'env-shop',
      mode: 'full',
      kind: 'manual',
      status: 'completed',
      compression: 'zstd',
      encryption: 'none',
      recordCount: 3,
      rowCounts: { notes: 3 },
      labels: { release: '7' },
      note: 'before the sale',
      retain: '30d',
      pinned: false,
      suspicious: false,
      verification: { level: 'structure', valid: true },
      error: null,
    })
    expect(backup.body.checksum).toMatch(/^[0-9a-f]{64}$/)
    expect((await get(`/${accepted.body.backupId}`)).body).toEqual(backup.body)
    // the serializer drops what the schema does not know and the view may leave out what it promises
    expect(Value.Errors(BackupView, backup.body)).toEqual([])
    expect(Value.Errors(OperationView, done.body)).toEqual([])
  })

  it('answers with the same operation to equal requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        api.call('POST', '/v1/backups', { body: { target: 'other', note: 'same' } }),
      ),
    )
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(answers.filter(({ body }) => body.coalesced === false)).toHaveLength(1)
    await api.call('GET', `/v1/operations/${answers[0]?.body.id}?wait=30`)
  })

  it('answers with the same operation to the same Idempotency-Key, and 409 to another request with it', async () => {
    const headers = { 'idempotency-key': 'deploy 42' }
    const body = { target: 'shop', kind: 'pre-migration' }
    const first = await api.call('POST', '/v1/backups', { body, headers })
    await api.call('GET', `/v1/operations/${first.body.id}?wait=30`)
    const again = await api.call('POST', '/v1/backups', { body, headers })
    expect(again.body.id).toBe(first.body.id)
    const other = await api.call('POST', '/v1/backups', { body: { target: 'other' }, headers })
    expect(other.body).toMatchObject({ status: 409, code: 'IDEMPOTENCY_CONFLICT' })
  })

  it('answers 404 to an unknown target and 409 to a name in use', async () => {
    expect((await api.call('POST', '/v1/backups', { body: { target: 'nobody' } })).body.code).toBe(
      'TARGET_NOT_FOUND',
    )
    const again = await api.call('POST', '/v1/backups', { body: { target: 'other', name: 'first' } })
    expect(again.body).toMatchObject({ status: 409, code: 'BACKUP_EXISTS' })
  })
})

describe('reading backups', () => {
  it('filters the list', async () => {
    const names = async (query: string) => {
      const { body } = await get(`?${query}`)
      return body.items.map(({ name, note }: { name: string | null; note: string | null }) => name ?? note)
    }
    expect(await names('target=shop&kind=manual')).toEqual(['first'])
    expect(await names('environment=env-other')).toEqual(['same'])
    expect(await names('label=release')).toEqual(['first'])
    expect(await names('label=release%3D7&status=completed&mode=full')).toEqual(['first'])
    expect(await names('label=release%3D8')).toEqual([])
    expect(await names('until=2020-01-01')).toEqual([])
    expect(await names('kind=manual&since=2020-01-01T00:00:00%2B02:00')).toEqual(['same', 'first'])
  })

  it('finds the newest usable one, or answers 404', async () => {
    const { body } = await get('/latest?target=shop')
    expect(body).toMatchObject({ target: 'shop', status: 'completed', kind: 'pre-migration' })
    await api.call('POST', '/v1/targets', { body: { name: 'never', url: api.makeDatabase('never') } })
    expect((await get('/latest?target=never')).body).toMatchObject({ status: 404, code: 'BACKUP_NOT_FOUND' })
    expect((await get('/nothing')).body).toMatchObject({ status: 404, code: 'BACKUP_NOT_FOUND' })
  })

  it('answers with the manifest byte for byte', async () => {
    const { body: backup } = await get('/first')
    const { text, headers } = await get('/first/manifest')
    expect(headers['content-type']).toContain('application/json')
    const stored = join(api.directory, 'data', 'storage', backup.target, backup.id, 'manifest.json')
    expect(text).toBe(readFileSync(stored, 'utf8'))
  })

  it('streams the stored artifact with its checksum', async () => {
    const address = await api.listen()
    const { body: manifest } = await get('/first/manifest')
    const [artifact] = manifest.artifacts
    const response = await fetch(`${address}/v1/backups/first/download`, {
      headers: { authorization: `Bearer ${api.keys.operator}` },
    })
    const bytes = Buffer.from(await response.arrayBuffer())
    const sha256 = createHash('sha256').update(bytes)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-length')).toBe(String(artifact.storedBytes))
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="shop-${manifest.id}-${artifact.name}"`,
    )
    expect(sha256.copy().digest('hex')).toBe(artifact.storedSha256)
    expect(response.headers.get('x-checksum-sha256')).toBe(artifact.storedSha256)
    expect(response.headers.get('repr-digest')).toBe(`sha-256=:${sha256.digest('base64')}:`)
  })

  it('does not let damaged bytes pass for the ones that were written', async () => {
    await api.carryOut('/v1/backups', { target: 'other', name: 'to-be-damaged' })
    const { body: backup } = await get('/to-be-damaged')
    const { body: manifest } = await get('/to-be-damaged/manifest')
    const folder = join(api.directory, 'data', 'storage', 'other', backup.id)
    const file = join(folder, manifest.artifacts[0].name)
    const bytes = readFileSync(file)
    const address = api.app.listeningOrigin
    const download = () =>
      fetch(`${address}/v1/backups/to-be-damaged/download`, {
        headers: { authorization: `Bearer ${api.keys.operator}` },
      })

    bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1
    chmodSync(file, 0o600)
    writeFileSync(file, bytes)
    // a small one is refused as a whole; a large one would break off before its last piece
    const flipped = await download()
    expect([flipped.status, await flipped.json()]).toMatchObject([409, { code: 'ARTIFACT_CORRUPT' }])

    truncateSync(file, bytes.length - 1)
    const cut = await download()
    expect([cut.status, await cut.json()]).toMatchObject([409, { code: 'ARTIFACT_CORRUPT' }])
  })

  it('answers 404 to an artifact that the backup does not have', async () => {
    expect((await get('/first/download?artifact=files')).body).toMatchObject({
      status: 404,
      code: 'OBJECT_NOT_FOUND',
    })
    expect((await get('/first/download?artifact=other')).status).toBe(400)
  })
})

describe('working with a backup', () => {
  it('verifies it by a drill unless told otherwise', async () => {
    const drill = await api.carryOut('/v1/backups/first/verify', {})
    expect(drill.body, drill.text).toMatchObject({
      type: 'verify',
      state: 'completed',
      request: { level: 'restore' },
    })
    expect((await get('/first')).body.verification).toMatchObject({ level: 'restore', valid: true })
  })

  it('restores it elsewhere, shows what was replaced, and undoes it', async () => {
    const database = new DatabaseSync(fileURLToPath(api.makeDatabase('copy').replace('sqlite:', 'file:')))
    database.exec("insert into notes (text) values ('later')")
    const count = () => database.prepare('select count(*) as count from notes').get()?.count
    await api.call('POST', '/v1/targets', {
      body: { name: 'copy', url: `sqlite://${api.directory}/copy.db` },
    })

    const dry = await api.carryOut('/v1/backups/first/restore', { into: { target: 'copy' } })
    expect(dry.body, dry.text).toMatchObject({ state: 'completed', request: { dryRun: true } })
    expect(count()).toBe(4)

    const unconfirmed = { into: { target: 'copy' }, dryRun: false, overwrite: true, confirm: 'shop' }
    expect((await api.carryOut('/v1/backups/first/restore', unconfirmed)).body).toMatchObject({
      state: 'failed',
      error: { code: 'CONFIRMATION_REQUIRED' },
    })
    const real = await api.carryOut('/v1/backups/first/restore', { ...unconfirmed, confirm: 'copy' })
    expect(real.body, real.text).toMatchObject({ state: 'completed', result: { recordsRestored: 3 } })
    expect(count()).toBe(3)

    const replaced = await api.call('GET', '/v1/replaced', { key: 'viewer' })
    expect(replaced.body.items).toMatchObject([
      { operationId: real.body.id, target: 'copy', engine: 'sqlite' },
    ])
    expect(replaced.body.items[0]).not.toHaveProperty('ticket')

    const undone = await api.carryOut(`/v1/operations/${real.body.id}/undo`, {})
    expect(undone.body, undone.text).toMatchObject({ state: 'completed', request: { type: 'undo' } })
    expect(count()).toBe(4)
    database.close()
    expect((await api.call('POST', `/v1/operations/${real.body.id}/undo`)).body).toMatchObject({
      status: 409,
      code: 'UNDO_NOT_POSSIBLE',
    })
  })

  it.each(['app', 'app@', 'app@ho st', 'a\np@host'])('takes no %j for an account', async (definer) => {
    const body = { into: { target: 'copy' }, definer }
    const asked = await api.call('POST', '/v1/backups/first/restore', { body })
    expect(asked.body).toMatchObject({ status: 400, code: 'INVALID_REQUEST' })
  })

  it('refuses definers where an engine has none, before anything is accepted', async () => {
    const body = { into: { target: 'copy' }, definer: 'app@%' }
    const asked = await api.call('POST', '/v1/backups/first/restore', { body })
    expect(asked.body).toMatchObject({
      status: 400,
      detail: expect.stringContaining("do not know 'definer'"),
    })
  })

  it('restores into a URL, which is shown without being told to anybody else', async () => {
    const url = `sqlite://${api.directory}/elsewhere.db`
    const done = await api.carryOut('/v1/backups/first/restore', { into: { url }, dryRun: false })
    expect(done.body, done.text).toMatchObject({
      state: 'completed',
      target: null,
      request: { into: { url } },
    })
    expect(JSON.stringify(done.body)).not.toContain('sealedUrl')
  })
})

describe('changing and deleting a backup', () => {
  it('changes what people may change, beside the stored backup too', async () => {
    const body = { pinned: true, labels: { keep: 'yes' }, note: null }
    const answer = await api.call('PATCH', '/v1/backups/first', { key: 'operator', body })
    const changed = { ...body, retain: '30d' }
    expect(answer.body).toMatchObject(changed)
    const state = join(api.directory, 'data', 'storage', 'shop', answer.body.id, 'state.json')
    expect(JSON.parse(readFileSync(state, 'utf8'))).toEqual(changed)
    expect((await api.call('PATCH', '/v1/backups/first', { body: { suspicious: true } })).status).toBe(400)
    expect((await api.call('PATCH', '/v1/backups/first', { body: { status: 'deleted' } })).status).toBe(400)
  })

  it('deletes it, a pinned one only on purpose, and remembers that it was', async () => {
    const { body: before } = await get('/first')
    expect((await api.call('DELETE', '/v1/backups/first')).body).toMatchObject({
      code: 'CONFIRMATION_REQUIRED',
    })
    const answer = await api.call('DELETE', '/v1/backups/first?evenIfPinned=true')
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body.bytesFreed).toBeGreaterThanOrEqual(before.storedBytes)
    expect((await get(`/${before.id}`)).body).toMatchObject({ status: 'deleted', name: 'first' })
    expect((await get(`/${before.id}/download`)).body).toMatchObject({
      status: 409,
      code: 'BACKUP_NOT_USABLE',
    })
    const deleted = await get('?status=deleted')
    expect(deleted.body.items.map(({ id }: { id: string }) => id)).toEqual([before.id])
  })
})
