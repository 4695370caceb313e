import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Environment, SecretReader } from './configuration.ts'
import { loadConfiguration } from './configuration.ts'
import { SETTINGS } from './configuration-settings.ts'
import { AppError } from './errors.ts'

const CWD = '/srv/holdfast'
const KEY = Buffer.alloc(32, 7).toString('base64')
const OTHER_KEY = Buffer.alloc(32, 9).toString('base64')

describe('loadConfiguration', () => {
  it('fills in every default from the data directory', () => {
    expect(loadConfiguration({}, CWD)).toEqual({
      dataDir: '/srv/holdfast/.holdfast',
      redisUrl: 'redis://127.0.0.1:6379',
      catalogUrl: 'sqlite:/srv/holdfast/.holdfast/catalog.db',
      storageUrl: 'file:///srv/holdfast/.holdfast/storage',
      host: '127.0.0.1',
      port: 8420,
      workerPort: null,
      masterKeys: null,
      masterKeyFile: '/srv/holdfast/.holdfast/master.key',
      apiKey: null,
      rateLimitPerMinute: 3000,
      leaseMs: 30_000,
      concurrency: 2,
      queues: ['backup', 'restore', 'verify', 'retention', 'maintenance'],
      pathRoots: ['/srv/holdfast/.holdfast'],
      postgresBinDir: null,
      mysqlBinDir: null,
      scratchDir: '/srv/holdfast/.holdfast/tmp',
      keepReplacedHours: 24,
      logLevel: 'info',
      warnings: [],
    })
  })

  it('reads every variable', () => {
    const configuration = loadConfiguration(
      {
        HOLDFAST_DATA_DIR: '/data',
        HOLDFAST_REDIS_URL: 'rediss://:pw@redis:6380/1',
        HOLDFAST_CATALOG_URL: 'postgres://user:pw@db/catalog',
        HOLDFAST_STORAGE_URL: 'file:///mnt/with%20space',
        HOLDFAST_HOST: '0.0.0.0',
        HOLDFAST_PORT: '0',
        HOLDFAST_WORKER_PORT: '9100',
        HOLDFAST_MASTER_KEY: `${KEY}, ${OTHER_KEY}`,
        HOLDFAST_API_KEY: 'x'.repeat(16),
        HOLDFAST_RATE_LIMIT: '10',
        HOLDFAST_LEASE_MS: '1000',
        HOLDFAST_CONCURRENCY: '8',
        HOLDFAST_QUEUES: 'restore,backup',
        HOLDFAST_PATH_ROOTS: '/a:/b/../c:/a',
        HOLDFAST_POSTGRES_BIN_DIR: '/opt/pg/../postgres/bin',
        HOLDFAST_MYSQL_BIN_DIR: '/opt/mariadb/./bin',
        HOLDFAST_KEEP_REPLACED_HOURS: '0.5',
        HOLDFAST_LOG_LEVEL: 'debug',
      },
      CWD,
    )
    expect(configuration).toMatchObject({
      dataDir: '/data',
      redisUrl: 'rediss://:pw@redis:6380/1',
      catalogUrl: 'postgres://user:pw@db/catalog',
      storageUrl: 'file:///mnt/with%20space',
      host: '0.0.0.0',
      port: 0,
      workerPort: 9100,
      apiKey: 'x'.repeat(16),
      rateLimitPerMinute: 10,
      leaseMs: 1000,
      concurrency: 8,
      queues: ['backup', 'restore'],
      pathRoots: ['/a', '/c'],
      postgresBinDir: '/opt/postgres/bin',
      mysqlBinDir: '/opt/mariadb/bin',
      scratchDir: '/data/tmp',
      keepReplacedHours: 0.5,
      logLevel: 'debug',
    })
    expect(configuration.masterKeys?.map((key) => key[0])).toEqual([7, 9])
  })

  it('resolves paths against the working directory and leaves odd names as they are', () => {
    const configuration = loadConfiguration({ HOLDFAST_DATA_DIR: 'a #1 %41' }, CWD)
    expect(configuration.catalogUrl).toBe('sqlite:/srv/holdfast/a #1 %41/catalog.db')
    expect(configuration.storageUrl).toBe('file:///srv/holdfast/a%20%231%20%2541/storage')
    expect(loadConfiguration({ HOLDFAST_CATALOG_URL: 'sqlite:my.db' }, CWD).catalogUrl).toBe(
      'sqlite:/srv/holdfast/my.db',
    )
    expect(loadConfiguration({ HOLDFAST_CATALOG_URL: 'sqlite:///my%2520.db' }, CWD).catalogUrl).toBe(
      'sqlite:/my%20.db',
    )
  })

  it('treats an empty variable as unset', () => {
    expect(loadConfiguration({ HOLDFAST_PORT: '', HOLDFAST_API_KEY: '' }, CWD)).toEqual(
      loadConfiguration({}, CWD),
    )
  })

  it('lists all problems at once, one a line, without repeating a value', () => {
    const secret = 'short-s3cret'
    const wrong: Environment = {
      HOLDFAST_REDIS_URL: `http://${secret}@x`,
      HOLDFAST_CATALOG_URL: `mysql://u:${secret}@x`,
      HOLDFAST_STORAGE_URL: `s3://${secret}`,
      HOLDFAST_HOST: `no host ${secret}`,
      HOLDFAST_PORT: '65536',
      HOLDFAST_WORKER_PORT: '1e3',
      HOLDFAST_MASTER_KEY: secret,
      HOLDFAST_API_KEY: secret,
      HOLDFAST_RATE_LIMIT: '0',
      HOLDFAST_LEASE_MS: '999',
      HOLDFAST_CONCURRENCY: '-1',
      HOLDFAST_QUEUES: `backup,${secret}`,
      HOLDFAST_PATH_ROOTS: `/a:${secret}`,
      HOLDFAST_POSTGRES_BIN_DIR: secret,
      HOLDFAST_MYSQL_BIN_DIR: secret,
      HOLDFAST_KEEP_REPLACED_HOURS: 'NaN',
      HOLDFAST_LOG_LEVEL: secret,
      HOLDFAST_DATA_DIR: `\0${secret}`,
    }
    const problems = problemsOf(wrong)
    expect(problems).toHaveLength(Object.keys(wrong).length)
    for (const name of Object.keys(wrong)) {
      expect(problems.filter((line) => line.startsWith(`${name} must be `))).toHaveLength(1)
    }
    expect(problems.join()).not.toContain(secret)
  })

  it.each([
    ['HOLDFAST_CATALOG_URL', 'sqlite:'],
    ['HOLDFAST_CATALOG_URL', 'sqlite:/data/'],
    ['HOLDFAST_CATALOG_URL', 'postgres:'],
    ['HOLDFAST_CATALOG_URL', 'sqlite://host/path'],
    ['HOLDFAST_CATALOG_URL', 'sqlite:///%zz'],
    ['HOLDFAST_CATALOG_URL', 'sqlite::memory:'],
    ['HOLDFAST_STORAGE_URL', 'file://host/path'],
    ['HOLDFAST_STORAGE_URL', 'file:relative'],
    ['HOLDFAST_STORAGE_URL', 'file:///a%00b'],
    ['HOLDFAST_STORAGE_URL', 'file:///a%2Fb'],
    ['HOLDFAST_PATH_ROOTS', ':'],
    ['HOLDFAST_QUEUES', ','],
    ['HOLDFAST_MASTER_KEY', `${KEY},`],
    ['HOLDFAST_MASTER_KEY', KEY.slice(4)],
    ['HOLDFAST_KEEP_REPLACED_HOURS', '8761'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })[0]).toMatch(new RegExp(`^${name} must be `))
  })

  it('requires a master key for a catalog that several machines share', () => {
    expect(problemsOf({ HOLDFAST_CATALOG_URL: 'postgres://db/catalog' })).toEqual([
      expect.stringMatching(/^HOLDFAST_MASTER_KEY is required with a PostgreSQL catalog/),
    ])
  })

  it('refuses to store in clear what was meant to be encrypted', () => {
    expect(problemsOf({ HOLDFAST_RECIPIENTS: 'age1…' })).toHaveLength(1)
  })

  it('points at variables that nobody reads', () => {
    const { warnings } = loadConfiguration(
      { HOLDFAST_CATALOGUE_URL: 'x', HOLDFAST_URL: 'x', HOLDFAST_TEST_X: '1' },
      CWD,
    )
    expect(warnings).toEqual([
      'HOLDFAST_CATALOGUE_URL is not a variable of Holdfast; did you mean HOLDFAST_CATALOG_URL?',
    ])
  })
})

describe('secrets from files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-configuration-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  it('reads any variable from a file, without its last newline', () => {
    const file = join(directory, 'key')
    writeFileSync(file, `${'k'.repeat(20)}\n`)
    expect(loadConfiguration({ HOLDFAST_API_KEY_FILE: file }, CWD).apiKey).toBe('k'.repeat(20))
  })

  it('offers a file for each variable', () => {
    for (const { name } of Object.values(SETTINGS)) {
      const asked: string[] = []
      const reader: SecretReader = (path) => {
        asked.push(path)
        return ''
      }
      loadConfiguration({ [`${name}_FILE`]: '/run/secrets/it' }, CWD, reader)
      expect(asked).toEqual(['/run/secrets/it'])
    }
  })

  it('refuses a variable given twice, a missing file and one that is too large', () => {
    const file = join(directory, 'large')
    writeFileSync(file, 'x'.repeat(70_000))
    expect(
      problemsOf({
        HOLDFAST_API_KEY: 'x'.repeat(20),
        HOLDFAST_API_KEY_FILE: file,
        HOLDFAST_REDIS_URL_FILE: join(directory, 'missing'),
        HOLDFAST_MASTER_KEY_FILE: file,
      }).toSorted(),
    ).toEqual([
      'HOLDFAST_API_KEY and HOLDFAST_API_KEY_FILE must not both be set',
      'HOLDFAST_MASTER_KEY_FILE must be the path of a readable file',
      'HOLDFAST_REDIS_URL_FILE must be the path of a readable file',
    ])
  })
})

describe('docs/configuration.md', () => {
  it('has exactly the rows that the code has', () => {
    const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
    const rows = page.split('\n').filter((line) => line.startsWith('| `HOLDFAST_'))
    const expected = Object.values(SETTINGS).map(
      (setting) =>
        `| \`${setting.name}\` | ${setting.description} | ${setting.allowed} | ${setting.fallback} |`,
    )
    expect(rows).toEqual(expected)
  })
})

function problemsOf(env: Environment): readonly string[] {
  try {
    loadConfiguration(env, CWD)
  } catch (error) {
    if (error instanceof AppError && error.code === 'INVALID_CONFIGURATION') return error.message.split('\n')
    throw error
  }
  return []
}
