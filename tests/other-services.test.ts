import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type {
  ApiKey,
  AuditEntry,
  Backup,
  HoldfastClient,
  Operation,
  QueueProducer,
  Replaced,
  Stats,
  Target,
  TargetCheck,
} from '@holdfast/client'
import { createHoldfastClient, createQueueProducer } from '@holdfast/client'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import type { BackupView } from '../apps/api/src/routes/backups/schemas.ts'
import type { KeyView } from '../apps/api/src/routes/keys/schemas.ts'
import type { OperationView, ReplacedView } from '../apps/api/src/routes/operations/schemas.ts'
import type { AuditView, StatsView } from '../apps/api/src/routes/reports/schemas.ts'
import type { TargetCheckView, TargetView } from '../apps/api/src/routes/targets/schemas.ts'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import type { System } from './support/system.ts'
import { sqliteUrl, startSystem } from './support/system.ts'

const run = promisify(execFile)
const DOCUMENT = fileURLToPath(new URL('../docs/enqueueing.md', import.meta.url))
const CLIENT = createRequire(new URL('../packages/client/package.json', import.meta.url))

let system: System
let holdfast: HoldfastClient
let producer: QueueProducer
let shop: string
let document: string

beforeAll(async () => {
  system = await startSystem()
  holdfast = createHoldfastClient({ url: system.url, apiKey: system.apiKey })
  producer = createQueueProducer({ redisUrl: system.redis.url, requestedBy: 'billing' })
  shop = join(system.directory, 'shop.db')
  makeDatabase(shop, 'old', 300)
  document = await readFile(DOCUMENT, 'utf8')
  await holdfast.targets.register({ name: 'shop', url: sqliteUrl(shop), environment: 'production' })
})
afterAll(async () => {
  await producer?.close()
  await system?.stop()
})

describe('a service that uses the HTTP client', () => {
  it('finds in the answers what its types promise', () => {
    expectTypeOf<TargetView>().toExtend<Target>()
    expectTypeOf<TargetCheckView>().toExtend<TargetCheck>()
    expectTypeOf<BackupView>().toExtend<Backup>()
    expectTypeOf<OperationView>().toExtend<Operation>()
    expectTypeOf<ReplacedView>().toExtend<Replaced>()
    expectTypeOf<KeyView>().toExtend<ApiKey>()
    expectTypeOf<StatsView>().toExtend<Stats>()
    expectTypeOf<AuditView>().toExtend<AuditEntry>()
    expectTypeOf<keyof Backup>().toEqualTypeOf<keyof BackupView>()
    expectTypeOf<keyof Operation>().toEqualTypeOf<keyof OperationView>()
  })

  it('changes and checks targets', async () => {
    const changed = await holdfast.targets.change('shop', { labels: { team: 'a' } })
    expect(changed).toMatchObject({ name: 'shop', labels: { team: 'a' }, environment: 'production' })
    expect(await holdfast.targets.check('shop')).toMatchObject({ target: 'shop', warnings: [] })
    expect(await holdfast.targets.list({ environment: 'staging' })).toMatchObject({ items: [], total: 0 })
    expect(await holdfast.readiness()).toMatchObject({ ready: true, parts: { worker: true } })
  })

  it('takes one backup however often it asks with one idempotency key', async () => {
    const request = { target: 'shop', kind: 'pre-migration', name: 'before-1' } as const
    const options = { idempotencyKey: randomUUID() }
    const first = await holdfast.backups.request(request, options)
    const progress: string[] = []
    const ended = await holdfast.operations.waitFor(first.id, {
      timeoutMs: 30_000,
      onProgress: ({ state }) => progress.push(state),
    })
    expect(ended).toMatchObject({
      state: 'completed',
      backupId: first.backupId,
      result: { recordCount: 300 },
    })
    expect(progress.at(-1)).toBe('completed')
    expect((await holdfast.backups.request(request, options)).id).toBe(first.id)
    await expect(holdfast.backups.request({ target: 'shop' }, options)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
      status: 409,
    })
  })

  it('downloads exactly what is stored', async () => {
    const { stream, sha256, sizeBytes, fileName } = await holdfast.backups.download('before-1')
    const bytes = await buffer(stream)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
    expect(bytes.length).toBe(sizeBytes)
    expect(fileName).toMatch(/^shop-.*\.zst$/)
    const { artifacts } = await holdfast.backups.manifest('before-1')
    expect(artifacts).toMatchObject([{ storedSha256: sha256 }])
  })

  it('restores, sees what is kept aside, and undoes it', async () => {
    rewriteDatabase(shop, 'new')
    const changed = rowsOf(shop)
    const consent = { dryRun: false, overwrite: true, confirm: 'shop' }
    const asked = await holdfast.backups.restore('before-1', { into: { target: 'shop' }, ...consent })
    expect(await holdfast.operations.waitFor(asked.id)).toMatchObject({ state: 'completed' })
    expect(rowsOf(shop)).not.toEqual(changed)
    expect(await holdfast.replaced.list()).toMatchObject([{ operationId: asked.id, target: 'shop' }])
    const undo = await holdfast.operations.undo(asked.id)
    expect(await holdfast.operations.waitFor(undo.id)).toMatchObject({ state: 'completed' })
    expect(rowsOf(shop)).toEqual(changed)
  })

  it('verifies, pins, deletes, runs retention, and finds it all in totals and audit', async () => {
    const verify = await holdfast.backups.verify('before-1', { level: 'checksum' })
    expect(await holdfast.operations.waitFor(verify.id)).toMatchObject({ state: 'completed' })
    expect(await holdfast.backups.change('before-1', { pinned: true })).toMatchObject({ pinned: true })
    await expect(holdfast.backups.remove('before-1')).rejects.toMatchObject({ name: 'HoldfastError' })
    const removed = await holdfast.backups.remove('before-1', { evenIfPinned: true })
    expect(removed.bytesFreed).toBeGreaterThan(0)
    const retention = await holdfast.retention.apply()
    expect(await holdfast.operations.waitFor(retention.id)).toMatchObject({ state: 'completed' })
    await expect(holdfast.operations.cancel(retention.id)).rejects.toMatchObject({
      code: 'OPERATION_FINISHED',
    })
    expect((await holdfast.stats()).backups).toMatchObject({ deleted: 1 })
    const { items } = await holdfast.audit.list({ limit: 200 })
    expect(items.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['backup.request', 'backup.delete']),
    )
  })

  it('makes keys and revokes them', async () => {
    const { key } = await holdfast.keys.create({ name: 'ci', role: 'operator' })
    const limited = createHoldfastClient({ url: system.url, apiKey: key })
    await expect(limited.keys.list()).rejects.toMatchObject({ code: 'FORBIDDEN', status: 403 })
    await holdfast.keys.revoke('ci')
    await expect(limited.stats()).rejects.toMatchObject({ code: 'UNAUTHENTICATED', status: 401 })
    expect(await holdfast.keys.list()).toMatchObject([{ name: 'ci', revokedAt: expect.any(String) }])
  })
})

describe('a service that uses the queue producer', () => {
  it('has a backup taken and verified, and gets the results', async () => {
    const backup = await producer.requestBackup({ target: 'shop', name: 'from-queue' })
    expect(await producer.waitFor(backup)).toMatchObject({ recordCount: 300 })
    expect(await holdfast.operations.get(backup.jobId)).toMatchObject({
      state: 'completed',
      requestedBy: 'queue:billing',
    })
    const verify = await producer.requestVerify({ backup: 'from-queue' })
    expect(await producer.waitFor(verify)).toMatchObject({ verification: { valid: true } })
    const dryRun = await producer.requestRestore({ backup: 'from-queue', into: { target: 'shop' } })
    expect(await producer.waitFor(dryRun)).toMatchObject({ dryRun: true, requires: { confirm: 'shop' } })
    expect(await producer.waitFor(await producer.requestRetention())).toMatchObject({ removed: [] })
  })

  it('gets the reason, with its code, for what cannot be done', async () => {
    const backup = await producer.requestBackup({ target: 'nobody' })
    await expect(producer.waitFor(backup)).rejects.toMatchObject({ code: 'TARGET_NOT_FOUND' })
    const verify = await producer.requestVerify({ backup: 'nothing' })
    await expect(producer.waitFor(verify.jobId)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
  })
})

describe('docs/enqueueing.md', () => {
  it('has a Node.js example that works as it is printed', async () => {
    const home = join(system.directory, 'another-service')
    await mkdir(join(home, 'node_modules'), { recursive: true })
    for (const name of ['bullmq', 'ioredis']) {
      const found = dirname(CLIENT.resolve(`${name}/package.json`))
      await symlink(found, join(home, 'node_modules', name))
    }
    const [, example = ''] = /```js\n([\s\S]*?)```/.exec(document) ?? []
    await writeFile(join(home, 'example.mjs'), example)
    const { stdout, stderr } = await run(process.execPath, ['example.mjs'], {
      cwd: home,
      env: { REDIS_URL: system.redis.url },
      timeout: 30_000,
    })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^backup [0-9a-f-]{36} holds 300 records\n$/)
  })

  it('shows payloads that the schemas allow', async () => {
    const [backup, restore, verify, retention] = [...document.matchAll(/```json\n([\s\S]*?)```/g)].map(
      ([, json = '']) => JSON.parse(json),
    )
    // refused before they are sent if they were not valid; no target, so that nothing is carried out
    const asked = [
      await producer.requestBackup({ ...backup, target: 'nobody' }),
      await producer.requestRestore(restore),
      await producer.requestVerify(verify),
      await producer.requestRetention(retention),
    ]
    const endings = await Promise.allSettled(asked.map((job) => producer.waitFor(job)))
    const codes = endings.map((end) => (end.status === 'rejected' ? end.reason.code : end.status))
    expect(codes).toEqual(['TARGET_NOT_FOUND', 'BACKUP_NOT_FOUND', 'BACKUP_NOT_FOUND', 'fulfilled'])
  })
})
