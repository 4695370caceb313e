import { createHash } from 'node:crypto'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import type { Cli } from './support/run-cli.ts'
import { cliOf } from './support/run-cli.ts'
import type { System } from './support/system.ts'
import { sqliteUrl, startSystem } from './support/system.ts'

let system: System
let holdfast: Cli
let shop: string

beforeAll(async () => {
  system = await startSystem()
  holdfast = cliOf(system)
  shop = join(system.directory, 'shop.db')
  makeDatabase(shop, 'old', 1000)
})
afterAll(() => system?.stop())

// in the order of a first day with it: each builds on what was done before
describe('the command line', () => {
  it('says what to do next where nothing is yet', async () => {
    expect((await holdfast('target', 'list')).stderr).toContain('holdfast target add NAME')
    expect((await holdfast('backup', 'list')).stderr).toContain('holdfast backup create TARGET')
    expect((await holdfast('status')).stdout).toContain('holdfast target add NAME')
    expect(await holdfast.json('target', 'list')).toEqual({ items: [], nextCursor: null, total: 0 })
  })

  it('registers targets by word, by file and from standard input', async () => {
    const added = await holdfast(
      'target',
      'add',
      'shop',
      sqliteUrl(shop),
      '--env',
      'production',
      '--label',
      'team=a',
    )
    expect(added).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/environment +production\nlabels +team=a/),
    })

    const urlFile = join(system.directory, 'url')
    await writeFile(urlFile, `${sqliteUrl(join(system.directory, 'gone.db'))}\n`, { mode: 0o600 })
    const byFile = await holdfast.json('target', 'add', 'gone', '--url-file', urlFile, '--env', 'staging')
    expect(byFile).toMatchObject({ name: 'gone', engine: 'sqlite', environment: 'staging' })

    const copy = join(system.directory, 'piped.db')
    const piped = await holdfast.with({ input: sqliteUrl(copy) }, 'target', 'add', 'piped', '--url-file', '-')
    expect(piped.code).toBe(0)
    expect(await holdfast('target', 'add', 'shop', sqliteUrl(shop))).toMatchObject({
      code: 7,
      stderr: expect.stringContaining('TARGET_EXISTS'),
    })
  })

  it('refuses a password in an argument without repeating it', async () => {
    for (const url of ['postgres://me:s3cr3t@db/shop', 'mysql://db/shop?password=s3cr3t']) {
      const refused = await holdfast('target', 'add', 'crm', url)
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--url-file') })
      expect(refused.stdout + refused.stderr).not.toContain('s3cr3t')
      const restore = await holdfast('backup', 'restore', 'latest', '--target', 'shop', '--to', url)
      expect(restore.stdout + restore.stderr).not.toContain('s3cr3t')
    }
    expect(await holdfast('target', 'add', 'crm', 'data/crm.db')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('data/crm.db\ncode:'),
    })
  })

  it('takes a backup, waits for it and shows what it holds', async () => {
    const taken = await holdfast(
      'backup',
      'create',
      'shop',
      '--name',
      'first',
      '--note',
      'a\u001b[31mnote',
      '--retain',
      '30d',
    )
    expect(taken.code).toBe(0)
    expect(taken.stdout).toMatch(/status +completed\n/)
    expect(taken.stdout).toMatch(/records +1,000\n/)
    expect(taken.stdout).toContain('a\\u001b[31mnote')
    expect(taken.stderr).toMatch(/^backup shop: /)
    expect(taken.stderr).not.toContain('\u001b')
    const operation = await holdfast.json(
      'backup',
      'create',
      'shop',
      '--verify',
      'restore',
      '--compression',
      'gzip',
    )
    expect(operation).toMatchObject({ type: 'backup', state: 'completed', result: { recordCount: 1000 } })
    const shown = await holdfast.json('backup', 'show', 'latest', '--target', 'shop')
    expect(shown).toMatchObject({ id: operation.backupId, compression: 'gzip', environment: 'production' })
  })

  it('lists with filters and pages, for people and for programs', async () => {
    const table = await holdfast('backup', 'list', '--target', 'shop', '--limit', '1')
    expect(table.stdout).toMatch(
      /^ID +TARGET +ENVIRONMENT +STATUS .*\n\S+ +shop +production +completed .*\n$/,
    )
    expect(table.stderr).toContain('1 more of 2')
    const page = await holdfast.json('backup', 'list', '--limit', '1')
    expect(page).toMatchObject({ items: [{ target: 'shop' }], total: 2 })
    const rest = await holdfast.json('backup', 'list', '--cursor', page.nextCursor)
    expect(rest.items.map(({ name }: { name: string }) => name)).toEqual(['first'])
    expect((await holdfast.json('backup', 'list', '--env', 'staging')).items).toEqual([])
    expect((await holdfast.json('--json', 'target', 'list', '--env', 'staging')).items).toHaveLength(1)
    expect((await holdfast('backup', 'list', '--env', 'staging')).stderr).toBe('no such backups\n')
  })

  it('never touches another environment than it was told', async () => {
    const refusal = { code: 3, stderr: expect.stringContaining('OTHER_ENVIRONMENT') }
    expect(await holdfast('backup', 'create', 'shop', '--env', 'staging')).toMatchObject(refusal)
    expect(await holdfast('backup', 'delete', 'first', '--env', 'staging', '--yes')).toMatchObject(refusal)
    expect(await holdfast('target', 'remove', 'shop', '--env', 'staging', '--yes')).toMatchObject(refusal)
    const restore = ['backup', 'restore', 'first', '--to', 'shop', '--env', 'staging', '--yes']
    expect(await holdfast(...restore)).toMatchObject(refusal)
  })

  it('proves a backup by a drill', async () => {
    const verified = await holdfast('backup', 'verify', 'first')
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('is sound (restore)') })
  })

  it('restores only what it was told to, and undoes it', async () => {
    const before = rowsOf(shop)
    rewriteDatabase(shop, 'new')
    const changed = rowsOf(shop)

    const nowhere = await holdfast('backup', 'restore', 'first')
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('--to') })
    expect(nowhere.stderr).toContain('say where to restore to')
    const dry = await holdfast('backup', 'restore', 'first', '--to', 'shop')
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/would replace +\S+shop\.db/) })
    expect(dry.stderr).toContain('nothing was changed')
    expect(rowsOf(shop)).toEqual(changed)

    const real = await holdfast.json('backup', 'restore', 'first', '--to', 'shop', '--yes')
    expect(real).toMatchObject({ state: 'completed', result: { recordsRestored: 1000 } })
    expect(rowsOf(shop)).toEqual(before)

    expect(await holdfast('operation', 'undo', real.id)).toMatchObject({ code: 4 })
    expect(await holdfast('operation', 'undo', real.id, '--yes')).toMatchObject({ code: 0 })
    expect(rowsOf(shop)).toEqual(changed)
  })

  it('restores to a URL, also over what is there', async () => {
    const copy = join(system.directory, 'copy.db')
    const to = ['backup', 'restore', 'latest', '--target', 'shop', '--to', sqliteUrl(copy)]
    expect((await holdfast(...to, '--yes')).code).toBe(0)
    expect(rowsOf(copy)).toHaveLength(1000)
    const again = await holdfast(...to, '--yes')
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('undo with') })
    const dry = await holdfast.json(...to, '--dry-run')
    expect(dry).toMatchObject({ result: { dryRun: true, requires: { overwrite: true } } })
  })

  it('downloads what is stored, whole and compared, and overwrites nothing', async () => {
    const file = join(system.directory, 'first.zst')
    const done = await holdfast.json('backup', 'download', 'first', '--output', file)
    const bytes = await readFile(file)
    expect(done).toMatchObject({ file, sizeBytes: bytes.length, sha256: sha256(bytes) })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await holdfast('backup', 'download', 'first', '-o', file)).toMatchObject({ code: 7 })
    const named = await holdfast.with({ cwd: system.directory }, 'backup', 'download', 'first')
    expect(named.stdout).toMatch(/shop-[0-9a-f-]{36}-data-\d+\.sqlite\.zst/)
    expect((await readdir(system.directory)).filter((name) => name.endsWith('.partial'))).toEqual([])
    const piped = await holdfast('backup', 'download', 'first', '-o', '-')
    expect(piped.stdout.length).toBeGreaterThan(1000)
  })

  it('deletes for good only after a confirmation', async () => {
    expect(await holdfast('backup', 'delete', 'first')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/--yes[\s\S]*CONFIRMATION_REQUIRED/),
    })
    expect(await holdfast.json('backup', 'delete', 'first', '--yes')).toMatchObject({
      bytesFreed: expect.any(Number),
    })
    expect((await holdfast.json('backup', 'show', 'first')).status).toBe('deleted')
    expect(await holdfast('backup', 'verify', 'first')).toMatchObject({ code: 7 })
  })

  it('shows the service, its targets and its operations', async () => {
    const status = await holdfast.json('status', '--env', 'production')
    expect(status).toMatchObject({
      ready: true,
      targets: [{ name: 'shop', newestBackupAt: expect.any(String) }],
    })
    expect((await holdfast('status')).stdout).toMatch(/gone +sqlite +staging +NONE/)
    expect((await holdfast('operation', 'list')).stdout).toMatch(/restore \(dry run\)/)
    const restores = await holdfast.json('operation', 'list', '--env', 'production', '--type', 'restore')
    expect(restores.items.map(({ target }: { target: string }) => target)).toEqual(['shop', 'shop', 'shop'])
    expect(await holdfast.json('target', 'check', 'shop')).toMatchObject({
      target: 'shop',
      sizeBytes: expect.any(Number),
    })
    expect((await holdfast('target', 'show', 'shop')).stdout).toMatch(/newest backup +\d{4}-/)
  })

  it('makes keys, uses them from files, and revokes them', async () => {
    const { key } = await holdfast.json('key', 'create', 'reader', '--role', 'viewer')
    const keyFile = join(system.directory, 'reader.key')
    await writeFile(keyFile, `${key}\n`)
    await chmod(keyFile, 0o600)
    const env = { HOLDFAST_API_KEY: '', HOLDFAST_API_KEY_FILE: keyFile }
    expect(await holdfast.with({ env }, 'target', 'list')).toMatchObject({ code: 0 })
    expect(await holdfast('target', 'list', '--key-file', keyFile)).toMatchObject({ code: 0 })
    expect(await holdfast('backup', 'create', 'shop', '--key-file', keyFile)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('FORBIDDEN'),
    })
    expect((await holdfast('key', 'revoke', 'reader', '--yes')).code).toBe(0)
    const refused = await holdfast('target', 'list', '--key-file', keyFile)
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('HOLDFAST_API_KEY_FILE') })
    expect(refused.stderr).not.toContain(key)
    expect((await holdfast('key', 'list')).stdout).toMatch(/reader +viewer +\d{4}-.*\d{4}-/)
  })

  it('removes a target and leaves its backups', async () => {
    expect((await holdfast('target', 'remove', 'piped', '--yes')).code).toBe(0)
    expect(await holdfast('target', 'show', 'piped')).toMatchObject({ code: 3 })
  })
})

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
