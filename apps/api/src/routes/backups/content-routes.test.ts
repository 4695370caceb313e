import { createHash } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { signManifest } from '@holdfast/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestApi } from '../../testing/test-api.ts'
import { startTestApi } from '../../testing/test-api.ts'

const ATTACHED = { settings: 'ALTER DATABASE :"database" SET work_mem = 1;', globals: 'CREATE ROLE shop;' }

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
  await api.startWorkers()
  await api.call('POST', '/v1/targets', { body: { name: 'shop', url: api.makeDatabase('shop') } })
})
afterAll(() => api.close())

// biome-ignore lint/suspicious/noExplicitAny: manifests of releases that this one has no type for
type AnyManifest = any

/** Takes a backup and puts another manifest, signed like its own, into its place. Returns the bytes of that. */
async function takeBackup(
  name: string,
  change: (manifest: AnyManifest, folder: string) => void,
): Promise<Buffer> {
  const { body } = await api.carryOut('/v1/backups', { target: 'shop', name })
  const folder = join(api.directory, 'data', 'storage', 'shop', body.backupId)
  const file = join(folder, 'manifest.json')
  const { signature: _, ...manifest } = JSON.parse(readFileSync(file, 'utf8'))
  change(manifest, folder)
  const bytes = Buffer.from(signManifest(manifest, api.deps.signer))
  chmodSync(file, 0o600)
  writeFileSync(file, bytes)
  return bytes
}

describe('the manifest of a backup', () => {
  it('is answered as the first release wrote it, so that its signature holds', async () => {
    const stored = await takeBackup('old', (manifest) => {
      for (const field of ['counting', 'database', 'groupId']) delete manifest[field]
    })
    const { status, text } = await api.call('GET', '/v1/backups/old/manifest', { key: 'viewer' })
    expect(status).toBe(200)
    expect(text).toBe(stored.toString())
    expect(text).not.toContain('counting')
    expect((await api.carryOut('/v1/backups/old/verify', {})).body).toMatchObject({ state: 'completed' })
  })

  it('is answered as a later release wrote it', async () => {
    const stored = await takeBackup('later', (manifest) => {
      manifest.ofALaterRelease = { ä: [1, null] }
    })
    expect((await api.call('GET', '/v1/backups/later/manifest')).text).toBe(stored.toString())
  })

  it('is checked before it is answered', async () => {
    await takeBackup('forged', () => {})
    const { body: backup } = await api.call('GET', '/v1/backups/forged')
    const file = join(api.directory, 'data', 'storage', 'shop', backup.id, 'manifest.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"recordCount": 3', '"recordCount": 4'))
    const { body } = await api.call('GET', '/v1/backups/forged/manifest')
    expect(body).toMatchObject({ status: 409, code: 'MANIFEST_UNTRUSTED' })
  })
})

describe('what was stored beside a dump', () => {
  const download = (role: string, key: 'viewer' | 'operator' | 'admin', backup = 'attached') =>
    api.call('GET', `/v1/backups/${backup}/download?artifact=${role}`, { key })

  beforeAll(async () => {
    await takeBackup('plain', () => {})
    await takeBackup('attached', (manifest, folder) => {
      manifest.artifacts.push(...Object.entries(ATTACHED).map(([role, text]) => store(folder, role, text)))
    })
  })

  it('can be downloaded', async () => {
    const answer = await download('settings', 'operator')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-disposition']).toMatch(/filename="shop-[0-9a-f-]{36}-settings-1\.sql\.gz"/)
    const sha256 = createHash('sha256').update(gzipSync(ATTACHED.settings)).digest('hex')
    expect(answer.headers['x-checksum-sha256']).toBe(sha256)
  })

  it('needs an admin if it is about a whole server', async () => {
    expect((await download('globals', 'admin')).status).toBe(200)
    for (const key of ['viewer', 'operator'] as const) {
      expect((await download('globals', key)).body).toMatchObject({ status: 403, code: 'FORBIDDEN' })
    }
    // nobody learns by it whether there are any
    expect((await download('globals', 'operator', 'plain')).body).toMatchObject({ code: 'FORBIDDEN' })
  })

  it('is named where something is asked for that is not there', async () => {
    expect((await download('contents', 'operator')).body).toMatchObject({
      ...{ status: 404, code: 'OBJECT_NOT_FOUND' },
      hint: 'it has these: data, settings, globals',
    })
    expect((await download('globals', 'admin', 'plain')).body.hint).toBe('it has these: data')
  })
})

function store(folder: string, role: string, text: string) {
  const plain = Buffer.from(text)
  const stored = gzipSync(plain)
  const name = `${role}-1.sql.gz`
  writeFileSync(join(folder, name), stored)
  const [sha256, storedSha256] = [plain, stored].map((bytes) =>
    createHash('sha256').update(bytes).digest('hex'),
  )
  const sizes = { sizeBytes: plain.length, storedBytes: stored.length }
  return { role, name, codec: 'gzip', cipher: 'none', ...sizes, sha256, storedSha256 }
}
