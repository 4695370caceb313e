import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../lib/testing/processes.ts'
import { ensureProgram, PROGRAMS } from './programs.mjs'

let dir: string
let bin: string
let policyPath: string
let said: string[]

/** A package manager in the place of the system's: notes how it was called and what policy was in force. */
const APT = `
  echo "apt-get $* policy=$(test -e "$POLICY" && { "$POLICY" redis-server start; echo $?; })" >> "$LOG"
  case "$*" in update*) exit 0 ;; *redis-server) : ;; *) echo "E: Unable to locate package"; exit 100 ;; esac
  test -n "$SLOW" && sleep "$SLOW"
  test -e "$LISTS" || { echo "E: Unable to locate package redis-server"; exit 100; }
  printf '#!/bin/sh\\n' > "$BIN/redis-server" && chmod 755 "$BIN/redis-server"
  echo "apt-get done" >> "$LOG"`

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-programs-'))
  bin = join(dir, 'bin')
  policyPath = join(dir, 'policy-rc.d')
  said = []
  mkdirSync(bin)
  for (const name of [
    'sh',
    'env',
    'rm',
    'chmod',
    'sleep',
    'cat',
    'dirname',
    'basename',
    'id',
    'true',
    'mkdir',
    'rmdir',
  ]) {
    symlinkSync(existsSync(`/bin/${name}`) ? `/bin/${name}` : `/usr/bin/${name}`, join(bin, name))
  }
  // whoever runs the tests, the fake manager is permitted
  fake('sudo', '[ "$1" = -n ] && shift; exec "$@"')
})

afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

function fake(name: string, script: string): void {
  const values = { LOG: join(dir, 'log'), BIN: bin, POLICY: policyPath, LISTS: join(dir, 'lists'), SLOW: '' }
  const assignments = Object.entries(values).map(([key, value]) => `${key}="\${${key}-${value}}"`)
  writeFileSync(join(bin, name), `#!/bin/sh\n${assignments.join('\n')}\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}

function log(): string[] {
  const file = join(dir, 'log')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

async function ensureRedis(): Promise<void> {
  await ensureProgram(PROGRAMS.redis, {
    path: bin,
    tools: join(dir, 'tools'),
    policyPath,
    say: (line) => said.push(line),
  })
}

describe('a program that the service needs', () => {
  it('is left alone if it is there, under any of its names, without a word', async () => {
    fake('apt-get', APT)
    fake('valkey-server', '')
    await ensureRedis()
    expect(said).toEqual([])
    expect(log()).toEqual([])
  })

  it('is installed while no service may start, and the policy is gone afterwards', async () => {
    fake('apt-get', APT)
    writeFileSync(join(dir, 'lists'), '')
    await ensureRedis()
    expect(log()[0]).toMatch(/^apt-get install .*--no-remove.* redis-server policy=101$/)
    expect(existsSync(policyPath)).toBe(false)
    expect(said).toEqual(['installing Redis with apt-get (its service is not started)'])
  })

  it('is installed after a refresh of the package lists if they do not know it', async () => {
    fake('apt-get', `case "$1" in update) : > "$LISTS" ;; esac; ${APT}`)
    await ensureRedis()
    expect(log().filter((line) => line.startsWith('apt-get update'))).toHaveLength(1)
    expect(existsSync(join(bin, 'redis-server'))).toBe(true)
  })

  it('leaves no policy behind when the installation fails, and says what to do', async () => {
    fake('apt-get', APT)
    const message = await ensureRedis().catch(String)
    expect(message).toContain('Redis is missing\n  apt-get failed\n  E: Unable to locate package')
    expect(message).toContain('Install it: sudo apt-get install redis-server')
    expect(existsSync(policyPath)).toBe(false)
  })

  it('is not installed where a policy of the system would let its service start', async () => {
    fake('apt-get', APT)
    writeFileSync(join(dir, 'lists'), '')
    writeFileSync(policyPath, '#!/bin/sh\nexit 0\n')
    chmodSync(policyPath, 0o755)
    await expect(ensureRedis()).rejects.toThrow(/would let redis-server start/)
    expect(readFileSync(policyPath, 'utf8')).toBe('#!/bin/sh\nexit 0\n')
    expect(log()).toEqual([])
  })

  it('is installed under a policy of the system that denies, which stays as it is', async () => {
    fake('apt-get', APT)
    writeFileSync(join(dir, 'lists'), '')
    writeFileSync(policyPath, '#!/bin/sh\nexit 101\n')
    chmodSync(policyPath, 0o755)
    await ensureRedis()
    expect(readFileSync(policyPath, 'utf8')).toBe('#!/bin/sh\nexit 101\n')
  })

  it('is installed to the end although a signal comes, and only then set-up ends', async () => {
    fake('apt-get', APT)
    writeFileSync(join(dir, 'lists'), '')
    const options = { path: bin, tools: join(dir, 'tools'), policyPath }
    const program = `
      import { watchInterrupts } from ${JSON.stringify(new URL('./interrupts.mjs', import.meta.url).href)}
      import { ensureProgram, PROGRAMS } from ${JSON.stringify(new URL('./programs.mjs', import.meta.url).href)}
      watchInterrupts()
      await ensureProgram(PROGRAMS.redis, { ...${JSON.stringify(options)}, say() {} })
        .catch((error) => process.exit(error.exitCode))`
    const setup = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'inherit', 'ignore'],
      env: { ...process.env, SLOW: '1' },
    })
    const exited = once(setup, 'exit')
    await until(() => log().length > 0)
    setup.kill('SIGTERM')
    expect(await exited).toEqual([143, null])
    expect(log()).toContain('apt-get done')
    expect(existsSync(policyPath)).toBe(false)
  })

  it('is installed without the cluster that Debian would make, whose settings are as before afterwards', async () => {
    const settings = join(dir, 'etc', 'postgresql-common', 'createcluster.d')
    fake(
      'apt-get',
      `cat "${settings}"/*.conf >> "$LOG"; printf '#!/bin/sh\\n' > "$BIN/postgres" && chmod 755 "$BIN/postgres"`,
    )
    // the developers of this machine may have the real one
    const program = { ...PROGRAMS.postgres, directories: [] }
    mkdirSync(join(dir, 'etc'))
    writeFileSync(join(dir, 'etc', 'hostname'), '')
    const options = { path: bin, policyPath, systemRoot: dir, say: (line: string) => said.push(line) }
    await ensureProgram(program, options)
    expect(log()).toContain('create_main_cluster = false')
    expect(readdirSync(join(dir, 'etc'))).toEqual(['hostname'])
    expect(existsSync(policyPath)).toBe(false)
    expect(said).toEqual(['installing PostgreSQL with apt-get (its service is not started)'])
  })

  it('leaves settings of others beside ours alone, also when the installation fails', async () => {
    const settings = join(dir, 'etc', 'postgresql-common', 'createcluster.d')
    mkdirSync(settings, { recursive: true })
    writeFileSync(join(settings, 'own.conf'), 'waldir = /wal\n')
    writeFileSync(join(settings, 'holdfast-setup.conf'), 'left by a set-up that was killed\n')
    fake('apt-get', `cat "${settings}"/*.conf >> "$LOG"; exit 100`)
    const program = { ...PROGRAMS.postgres, directories: [] }
    const options = { path: bin, policyPath, systemRoot: dir, say: (line: string) => said.push(line) }
    await expect(ensureProgram(program, options)).rejects.toThrow('sudo apt-get install postgresql')
    expect(log()).toContain('create_main_cluster = false')
    expect(readdirSync(settings)).toEqual(['own.conf'])
  })

  it('is installed without the service that its larger package would bring', async () => {
    const made = `printf '#!/bin/sh\\n' > "$BIN/mariadbd" && chmod 755 "$BIN/mariadbd"`
    fake('apt-get', `echo "apt-get $*" >> "$LOG"; ${made}`)
    const program = { ...PROGRAMS.mariadb, directories: [] }
    await ensureProgram(program, { path: bin, policyPath, say: (line: string) => said.push(line) })
    expect(log().join('\n')).toMatch(/install .*mariadb-server-core mariadb-client$/m)
    expect(log().join('\n')).not.toMatch(/mariadb-server( |$)/m)
  })

  it('is run by Docker where it cannot be installed', async () => {
    const docker = `echo "docker $*" >> "$LOG"; case "$1 $2" in 'image inspect') exit 1 ;; esac`
    fake('docker', docker)
    mkdirSync(join(dir, 'data'))
    const path = `${bin}:${join(dir, 'tools', 'bin')}`
    const options = { path, tools: join(dir, 'tools'), say: (line: string) => said.push(line) }
    await ensureProgram(PROGRAMS.redis, options)
    expect(said).toEqual(['fetching Redis as a Docker image (redis:7.4-bookworm)'])

    const wrapper = join(dir, 'tools', 'bin', 'redis-server')
    const run = spawn(wrapper, [join(dir, 'data', 'redis.conf')], { env: { PATH: path }, stdio: 'inherit' })
    expect(await once(run, 'exit')).toEqual([0, null])
    expect(log().at(-1)).toContain(`--volume ${dir}/data:${dir}/data`)
    expect(log().at(-1)).toMatch(/--network host .*redis:7\.4-bookworm .*\/data\/redis\.conf$/)
  })

  it('is not looked for in a Docker that does not work', async () => {
    fake('docker', 'echo "Cannot connect to the Docker daemon"; exit 1')
    await expect(ensureRedis()).rejects.toThrow(/Cannot connect to the Docker daemon/)
    expect(existsSync(join(dir, 'tools'))).toBe(false)
  })

  it('may be missing if it is optional: the user is told once what it would be good for', async () => {
    await ensureProgram(PROGRAMS.zstd, { path: bin, say: (line) => said.push(line) })
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/^zstd is missing: .*Install zstd/)
  })
})
