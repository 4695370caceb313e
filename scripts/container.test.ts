import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { loadConfiguration } from '@holdfast/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const ROOT = dirname(import.meta.dirname)

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The instructions of the Dockerfile, continued lines joined. */
function instructions(): readonly { name: string; rest: string }[] {
  return read('Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', ...rest] = line.trim().split(' ')
      return { name, rest: rest.join(' ') }
    })
}

function compose(): Record<string, unknown> {
  return record(parse(read('docker-compose.yml'), { merge: true }))
}

function record(value: unknown): Record<string, unknown> {
  expect(value).toBeTypeOf('object')
  expect(value).not.toBeNull()
  // checked above
  return value as Record<string, unknown>
}

function service(name: string): Record<string, unknown> {
  return record(record(compose().services)[name])
}

describe('the container image', () => {
  it('runs the version of Node.js that set-up fetches', () => {
    const version = read('.nvmrc').trim()
    expect(instructions()[0]).toEqual({ name: 'FROM', rest: `node:${version}-bookworm-slim AS base` })
    expect(read('scripts/setup/node-runtime.mjs')).toContain(`PINNED_VERSION = '${version}'`)
    expect(process.versions.node.split('.')[0]).toBe(version.split('.')[0])
  })

  it('copies only what exists and what the build context contains', () => {
    const copied = instructions()
      .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
      .flatMap(({ rest }) => rest.split(/ +/).slice(0, -1))
    expect(copied.length).toBeGreaterThan(10)
    for (const path of copied) expect(existsSync(join(ROOT, path)), path).toBe(true)
    const context = read('.dockerignore')
    for (const path of copied) {
      const isIncluded = context
        .split('\n')
        .some((line) => line === `!${path}` || path.startsWith(`${line.slice(1)}/`))
      expect(isIncluded, path).toBe(true)
    }
  })

  it('installs from the manifests of all workspaces', () => {
    const all = globSync(['apps/*/package.json', 'packages/*/package.json'], { cwd: ROOT })
    for (const manifest of all)
      expect(read('Dockerfile'), manifest).toContain(`COPY ${manifest} ${dirname(manifest)}/`)
    for (const app of globSync('apps/*/package.json', { cwd: ROOT })) {
      expect(read('Dockerfile')).toContain(`--workspace ${dirname(app)}`)
    }
  })

  it('does not run as root', () => {
    expect(instructions().filter(({ name }) => name === 'USER')).toEqual([{ name: 'USER', rest: 'node' }])
  })

  it('starts with a program that is there', () => {
    const entry = instructions().find(({ name }) => name === 'ENTRYPOINT')?.rest ?? ''
    const [path]: unknown[] = JSON.parse(entry)
    accessSync(join(ROOT, String(path).replace('/app/', '')), constants.X_OK)
    for (const role of ['api', 'worker', 'cli']) {
      expect(existsSync(join(ROOT, 'apps', role, 'src', 'main.ts')), role).toBe(true)
    }
  })
})

describe('docker-compose.yml', () => {
  it('keeps every acknowledged request: append-only file, synced always, nothing evicted', () => {
    expect(service('redis').command).toEqual([
      'redis-server',
      '/run/secrets/redis_conf',
      ...['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction', '--save', ''],
    ])
  })

  it('publishes the API alone, to this machine alone', () => {
    const published = Object.keys(record(compose().services)).flatMap((name) => service(name).ports ?? [])
    expect(published).toEqual(['127.0.0.1:8420:8420'])
  })

  it('runs two workers, and asks every service for its health', () => {
    expect(service('worker').deploy).toEqual({ replicas: 2 })
    for (const name of ['worker', 'redis', 'postgres']) expect(service(name).healthcheck, name).toBeDefined()
    expect(instructions().some(({ name }) => name === 'HEALTHCHECK')).toBe(true)
  })

  it('mentions only secrets, volumes and networks that it declares', () => {
    const file = compose()
    for (const name of Object.keys(record(file.services))) {
      const { secrets = [], networks = [], volumes = [] } = service(name)
      for (const secret of [secrets].flat()) expect(file.secrets).toHaveProperty([String(secret)])
      for (const network of [networks].flat()) expect(file.networks).toHaveProperty([String(network)])
      for (const volume of [volumes].flat().map((entry) => String(entry).split(':')[0] ?? '')) {
        if (/^[a-z]/.test(volume)) expect(file.volumes).toHaveProperty([volume])
      }
    }
  })
})

describe('the secrets of the fleet', () => {
  let dir: string

  beforeEach(async () => {
    dir = join(await mkdtemp(join(tmpdir(), 'holdfast-secrets-')), 'secrets')
  })

  afterEach(async () => {
    await rm(dirname(dir), { recursive: true, force: true })
  })

  async function make(): Promise<string> {
    const script = join(ROOT, 'scripts', 'compose-secrets.mjs')
    const { stdout } = await promisify(execFile)(process.execPath, [script, dir])
    return stdout
  }

  it('are exactly those that docker-compose.yml names, in a directory for their owner only', async () => {
    await make()
    const named = Object.values(record(compose().secrets)).map((secret) => String(record(secret).file))
    expect(named.sort()).toEqual(
      globSync('*', { cwd: dir })
        .map((name) => `./secrets/${name}`)
        .sort(),
    )
    expect(statSync(dir).mode & 0o777).toBe(0o700)
  })

  it('together with its environment are a configuration that the service accepts', async () => {
    await make()
    for (const name of ['api', 'worker']) {
      const environment = record(service(name).environment)
      const env = Object.fromEntries(
        Object.entries(environment).map(([key, value]) => [key, String(value).replace('/run/secrets', dir)]),
      )
      const configuration = loadConfiguration(env, '/')
      expect(configuration.warnings).toEqual([])
      expect(configuration.catalogUrl).toMatch(/^postgres:\/\/holdfast:\w{20,}@postgres:5432\/holdfast$/)
      expect(configuration.redisUrl).toMatch(/^redis:\/\/:\w{20,}@redis:6379$/)
    }
  })

  it('are never made anew', async () => {
    expect(await make()).toMatch(/^made /)
    const before = readFileSync(join(dir, 'master_key'), 'utf8')
    expect(await make()).toContain('nothing was changed')
    expect(readFileSync(join(dir, 'master_key'), 'utf8')).toBe(before)
  })
})
