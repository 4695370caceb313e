import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { PrivateRedis } from '@holdfast/queue/private-redis'
import { startPrivateRedis } from '@holdfast/queue/private-redis'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const HOME = fileURLToPath(new URL('..', import.meta.url))
const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url))

// what another service does with it: everything that the package can do alone
const SERVICE = `
import { createHoldfastClient, createQueueProducer, HoldfastError } from '@holdfast/client'
import { createRequire } from 'node:module'
const { Queue } = createRequire(import.meta.url)('bullmq')
const schema = createRequire(import.meta.url)('@holdfast/client/schemas/backup.v1.json')
const producer = createQueueProducer({ redisUrl: process.env.REDIS_URL, requestedBy: 'billing' })
const asked = await producer.requestBackup({ target: 'shop' })
const refused = await producer.requestBackup({ target: 'No' }).catch((error) => error)
const queue = new Queue('backup', { connection: { url: process.env.REDIS_URL }, prefix: '{holdfast}' })
const job = await queue.getJob(asked.jobId)
await queue.close()
await producer.close()
const client = createHoldfastClient({ url: 'http://127.0.0.1:1', apiKey: 'none', retries: 0 })
const unreachable = await client.stats().catch((error) => error)
console.log(JSON.stringify({
  id: schema.$id, data: job.data, refused: refused.code, isOurs: refused instanceof HoldfastError,
  unreachable: unreachable.code, node: process.version,
}))
`

const TYPED_SERVICE = `
import type { HoldfastClient, QueueProducer } from '@holdfast/client'
export async function protect(client: HoldfastClient, producer: QueueProducer): Promise<string> {
  const { id } = await client.backups.request({ target: 'shop', kind: 'pre-migration' })
  const { state } = await client.operations.waitFor(id, { timeoutMs: 1_000 })
  const { jobId } = await producer.requestRestore({ backup: 'x', into: { target: 'copy' } })
  // @ts-expect-error a payload names targets only
  await producer.requestRestore({ backup: 'x', into: { url: 'sqlite:///x' } })
  return state + jobId
}
`

let directory: TemporaryDirectory
let redis: PrivateRedis

beforeAll(async () => {
  directory = await makeTemporaryDirectory()
  redis = await startPrivateRedis({ dir: directory.path })
  await installPacked(directory.path)
})
afterAll(async () => {
  await redis?.stop()
  await directory?.remove()
})

describe('the packed client', () => {
  it('holds what was compiled, the schemas and the licence, and no sources', async () => {
    const files = await readdir(join(directory.path, 'node_modules', '@holdfast', 'client'))
    expect(files.sort()).toEqual(['LICENSE', 'README.md', 'lib', 'package.json', 'schemas'])
    const lib = await readdir(join(directory.path, 'node_modules', '@holdfast', 'client', 'lib'))
    expect(lib.filter((name) => /(^|\.)test|testing|(?<!\.d)\.ts$/.test(name))).toEqual([])
  })

  it('works in a service of its own, on every Node.js that is on the PATH and new enough', async () => {
    await writeFile(join(directory.path, 'service.mjs'), SERVICE)
    const nodes = await supportedNodes()
    expect(nodes).toContain(process.execPath)
    for (const node of nodes) {
      const { stdout, stderr } = await run(node, ['service.mjs'], {
        cwd: directory.path,
        env: { PATH: process.env.PATH, REDIS_URL: redis.url },
      })
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toMatchObject({
        id: 'urn:holdfast:job:backup:v1',
        data: { v: 1, requestedBy: 'billing', target: 'shop' },
        refused: 'INVALID_REQUEST',
        isOurs: true,
        unreachable: 'UNREACHABLE',
      })
    }
  })

  it('brings types that need nothing of ours', async () => {
    await writeFile(join(directory.path, 'typed.ts'), TYPED_SERVICE)
    const options = {
      ...{ strict: true, noEmit: true, module: 'nodenext', target: 'es2022', skipLibCheck: false },
      ...{ exactOptionalPropertyTypes: true, types: ['node'], typeRoots: [join(MODULES, '@types')] },
    }
    await writeFile(
      join(directory.path, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['typed.ts'] }),
    )
    const compiler = join(MODULES, 'typescript', 'bin', 'tsc')
    const { stdout } = await run(process.execPath, [compiler, '--project', directory.path]).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).toBe('')
  })
})

/** Packs what is published and unpacks it where another service would have it. */
async function installPacked(home: string): Promise<void> {
  const dist = join(home, 'dist')
  await run(process.execPath, [join(HOME, 'scripts', 'build.mjs'), dist])
  const pack = ['pack', dist, '--json', '--ignore-scripts', '--offline', '--pack-destination', home]
  const npm = ['--cache', join(home, 'npm-cache'), '--update-notifier', 'false']
  await run('npm', [...pack, ...npm], { cwd: home })
  const tarball = (await readdir(home)).find((name) => name.endsWith('.tgz'))
  const modules = join(home, 'node_modules')
  await mkdir(join(modules, '@holdfast', 'client'), { recursive: true })
  const unpack = ['-xzf', join(home, tarball ?? ''), '-C', join(modules, '@holdfast', 'client')]
  await run('tar', [...unpack, '--strip-components', '1'])
  const { dependencies } = JSON.parse(
    await readFile(join(modules, '@holdfast', 'client', 'package.json'), 'utf8'),
  )
  // what npm would install
  for (const name of Object.keys(dependencies)) await symlink(join(MODULES, name), join(modules, name))
}

async function supportedNodes(): Promise<readonly string[]> {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((part) => join(part, 'node'))
  const found = new Set([process.execPath])
  for (const node of candidates) {
    const version = await run(node, ['--version']).then(
      ({ stdout }) => stdout.trim(),
      () => 'v0.0',
    )
    const [, major = '0', minor = '0'] = /^v(\d+)\.(\d+)/.exec(version) ?? []
    const isNew = Number(major) > 20 || (major === '20' && Number(minor) >= 3)
    if (isNew && dirname(node) !== dirname(process.execPath)) found.add(node)
  }
  return [...found]
}
