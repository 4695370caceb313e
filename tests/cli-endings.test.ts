import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, rowsOf } from './support/databases.ts'
import type { Cli } from './support/run-cli.ts'
import { CTRL_C, cliOf } from './support/run-cli.ts'
import type { System } from './support/system.ts'
import { sqliteUrl, startSystem } from './support/system.ts'

const CLEAR_LINE = '\r\u001b[K'
/** Tells on stderr which modules are loaded. */
const TELL_MODULES = `data:text/javascript,import{registerHooks}from'node:module';registerHooks({resolve(s,c,n){const r=n(s,c);process.stderr.write(r.url+'\\n');return r}})`

let system: System
let holdfast: Cli
let shop: string

beforeAll(async () => {
  system = await startSystem()
  holdfast = cliOf(system)
  shop = join(system.directory, 'shop.db')
  makeDatabase(shop, 'old', 500)
  await holdfast.json('target', 'add', 'shop', sqliteUrl(shop))
  await holdfast.json('target', 'add', 'gone', sqliteUrl(join(system.directory, 'gone.db')))
})
afterAll(() => system?.stop())

describe('the exit status', () => {
  it('is 1 when the operation failed, which programs get as a document besides', async () => {
    const failed = await holdfast('backup', 'create', 'gone', '--json')
    expect(failed.code).toBe(1)
    const operation = JSON.parse(failed.stdout)
    expect(operation).toMatchObject({ state: 'failed', error: { code: 'DATABASE_NOT_FOUND' } })
    expect(JSON.parse(failed.stderr)).toMatchObject({
      code: 'DATABASE_NOT_FOUND',
      exitCode: 1,
      operationId: operation.id,
      hint: expect.any(String),
    })
    const told = await holdfast('backup', 'create', 'gone')
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toMatch(/error: the backup failed: .*\nhint: {2}.*\ncode: {2}DATABASE_NOT_FOUND/)
    expect(told.stderr).not.toMatch(/\n\s+at /)
  })

  it('is 2 for what cannot be carried out as it is written, with a suggestion', async () => {
    expect(await holdfast('bakup', 'list')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean backup?'),
    })
    expect(await holdfast('backup', 'craete', 'shop')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('create'),
    })
    expect(await holdfast('backup', 'list', '--limit', 'many')).toMatchObject({ code: 2 })
    expect(await holdfast('backup', 'create', 'Not A Name')).toMatchObject({ code: 2 })
    expect(await holdfast('backup', 'show', 'latest')).toMatchObject({ code: 2 })
    expect(await holdfast('target', 'add', 'x', 'nosuch://x')).toMatchObject({ code: 2 })
    expect(await holdfast('backup')).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage:') })
    const asJson = await holdfast('backup', 'list', '--sort', '--json')
    expect(JSON.parse(asJson.stderr)).toMatchObject({ code: 'USAGE', exitCode: 2 })
    expect(asJson.stdout).toBe('')
  })

  it('is 3 for what does not exist', async () => {
    expect(await holdfast('target', 'show', 'nobody')).toMatchObject({ code: 3 })
    expect(await holdfast('backup', 'show', 'nothing')).toMatchObject({ code: 3 })
    expect(await holdfast('operation', 'watch', randomUUID())).toMatchObject({ code: 3 })
    expect(await holdfast('key', 'revoke', 'nobody', '--yes')).toMatchObject({ code: 3 })
  })

  it('is 4 without a valid key, and where the service does not allow it', async () => {
    const without = await holdfast.with({ env: { HOLDFAST_API_KEY: '' } }, 'status')
    expect(without).toMatchObject({ code: 4, stderr: expect.stringContaining('HOLDFAST_API_KEY_FILE') })
    const wrong = await holdfast.with({ env: { HOLDFAST_API_KEY: 'hf_not-the-key' } }, 'status', '--json')
    expect(JSON.parse(wrong.stderr)).toMatchObject({ code: 'UNAUTHENTICATED', exitCode: 4 })
    await holdfast('target', 'add', 'outside', 'sqlite:///etc/passwd.db')
    expect(await holdfast('target', 'check', 'outside')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('PATH_NOT_ALLOWED'),
    })
  })

  it('is 5 where nobody answers, and where something else does', async () => {
    expect(await holdfast('status', '--url', 'http://127.0.0.1:9')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('UNREACHABLE'),
    })
    // Redis answers, but not in HTTP
    expect(await holdfast('status', '--url', `http://127.0.0.1:${system.redis.port}`)).toMatchObject({
      code: 5,
    })
  })

  it('is 130 at a signal while the service keeps it waiting', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const asking = holdfast.start('target', 'list', '--url', `http://127.0.0.1:${port}`)
    const [socket] = await once(silent, 'connection')
    asking.child.kill('SIGTERM')
    expect(await asking.end).toMatchObject({ code: 130, stderr: 'error: interrupted\ncode:  INTERRUPTED\n' })
    socket.destroy()
    silent.close()
  })

  it('is 0 for help and version, which load next to nothing', async () => {
    expect(await holdfast('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
    expect(await holdfast('backup', 'restore', '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Examples:'),
    })
    const { stderr } = await holdfast.with({ nodeArgs: ['--import', TELL_MODULES] }, 'target', 'list')
    const packages = new Set(
      [...stderr.matchAll(/node_modules\/((?:@[^/]+\/)?[^/\n]+)/g)].map(([, name]) => name),
    )
    expect([...packages]).toEqual(['commander'])
  })
})

describe('while no worker works', () => {
  beforeAll(() => void system.workers[0]?.child.kill('SIGSTOP'))
  afterAll(() => void system.workers[0]?.child.kill('SIGCONT'))

  it('returns at once with --no-wait, and joins an equal request', async () => {
    const accepted = await holdfast.json('backup', 'create', 'shop', '--no-wait')
    expect(accepted).toMatchObject({ state: 'queued', coalesced: false })
    const again = await holdfast('backup', 'create', 'shop', '--no-wait')
    expect(again.stdout).toBe(`${accepted.id}\n`)
    expect(again.stderr).toContain('an equal request is under way')
    expect(await holdfast('operation', 'cancel', accepted.id)).toMatchObject({
      code: 0,
      stdout: `backup ${accepted.id} is cancelled\n`,
    })
    expect(await holdfast('operation', 'cancel', accepted.id)).toMatchObject({ code: 7 })
  })

  it('tells a watcher of each change, and ends with 6 when it was cancelled', async () => {
    const { id } = await holdfast.json('backup', 'create', 'shop', '--no-wait')
    const watching = holdfast.start('operation', 'watch', id, '--json')
    await watching.saw('"queued"')
    await holdfast.json('operation', 'cancel', id)
    const { code, stdout, stderr } = await watching.end
    expect(code).toBe(6)
    const states = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).state)
    expect(states).toEqual(['queued', 'cancelled'])
    expect(JSON.parse(stderr)).toMatchObject({ code: 'CANCELLED', exitCode: 6 })
  })

  it('stops watching at a signal with 130, and says that the operation goes on', async () => {
    const waiting = holdfast.start('backup', 'create', 'shop')
    await waiting.saw('backup shop: queued')
    waiting.child.kill('SIGINT')
    const { code, stderr } = await waiting.end
    expect(code).toBe(130)
    const [, id = ''] = /holdfast operation watch (\S+), or holdfast operation cancel/.exec(stderr) ?? []
    expect(await holdfast.json('operation', 'cancel', id)).toMatchObject({ state: 'cancelled' })
  })

  it('draws its progress on a terminal, over again on one line, until Ctrl-C', async () => {
    const { code, stdout } = await holdfast.onTerminal(
      ['backup', 'create', 'shop', '--note', 'on a terminal'],
      [['queued  1 s', CTRL_C]],
    )
    expect(code).toBe(130)
    expect(stdout).toContain(`${CLEAR_LINE}backup shop  queued  0 s`)
    expect(stdout).toMatch(/goes on\r\nhint: {2}holdfast operation watch/)
  })
})

describe('on a terminal', () => {
  it('asks for a name before it destroys anything, and takes only that name', async () => {
    await holdfast.json('backup', 'create', 'shop', '--name', 'kept')
    const prompt = 'type kept and press Enter'
    const refused = await holdfast.onTerminal(['backup', 'delete', 'kept'], [[prompt, 'yes\r']])
    expect(refused).toMatchObject({ code: 4, stdout: expect.stringContaining('nothing was changed') })
    const interrupted = await holdfast.onTerminal(['backup', 'delete', 'kept'], [[prompt, CTRL_C]])
    expect(interrupted.code).toBe(130)
    expect((await holdfast.json('backup', 'show', 'kept')).status).toBe('completed')
    const agreed = await holdfast.onTerminal(['backup', 'delete', 'kept'], [[prompt, 'kept\r']])
    expect(agreed.code).toBe(0)
    expect((await holdfast.json('backup', 'show', 'kept')).status).toBe('deleted')
  })

  it('shows what a restore would do, asks, and does it', async () => {
    await holdfast.json('backup', 'create', 'shop', '--name', 'good')
    const before = rowsOf(shop)
    makeDatabase(join(system.directory, 'copy.db'), 'other', 7)
    const to = sqliteUrl(join(system.directory, 'copy.db'))
    const asked = await holdfast.onTerminal(
      ['backup', 'restore', 'good', '--to', to],
      [[`type ${to}`, `${to}\r`]],
    )
    expect(asked.code).toBe(0)
    expect(asked.stdout).toMatch(/would replace +\S+copy\.db[\s\S]*undo with +holdfast operation undo/)
    expect(rowsOf(join(system.directory, 'copy.db'))).toEqual(before)
  })
})
