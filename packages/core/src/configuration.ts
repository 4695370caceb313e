import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { LogLevel, QueueName, Setting } from './configuration-settings.ts'
import { OTHER_VARIABLES, QUEUE_NAMES, SETTINGS } from './configuration-settings.ts'
import { AppError } from './errors.ts'

/** What the environment says, checked and with every default filled in. */
export interface Configuration {
  /** Absolute. */
  readonly dataDir: string
  readonly redisUrl: string
  /** `sqlite:` and an absolute path, as it is (never percent-encoded), or a `postgres://` URL. */
  readonly catalogUrl: string
  /** A `file://` URL. */
  readonly storageUrl: string
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  /** Null: the worker listens on no port. */
  readonly workerPort: number | null
  /** The first seals, all open. Null: the key file in the data directory, see {@link masterKeyFile}. */
  readonly masterKeys: readonly Uint8Array[] | null
  /** `<dataDir>/master.key`, used where `masterKeys` is null. */
  readonly masterKeyFile: string
  readonly apiKey: string | null
  readonly rateLimitPerMinute: number
  readonly leaseMs: number
  readonly concurrency: number
  readonly queues: readonly QueueName[]
  /** Absolute, links not yet followed. */
  readonly pathRoots: readonly string[]
  /** Absolute. Null: only the usual places are searched for PostgreSQL's programs. */
  readonly postgresBinDir: string | null
  /** Absolute. Null: only the usual places are searched for the programs of MySQL and MariaDB. */
  readonly mysqlBinDir: string | null
  /** `<dataDir>/tmp`. */
  readonly scratchDir: string
  readonly keepReplacedHours: number
  readonly logLevel: LogLevel
  /** What looks like a mistake but stops nothing, such as a variable that nobody reads. */
  readonly warnings: readonly string[]
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Returns the text of a file named by a `…_FILE` variable; throws if it cannot. */
export type SecretReader = (path: string) => string

/**
 * Reads the whole configuration from `env`. Throws INVALID_CONFIGURATION whose message lists every problem, one a
 * line, naming variables and what they may hold, never what they held. Each variable may also be given as
 * `…_FILE`, the path of a file that holds the value. An empty variable counts as unset.
 */
export function loadConfiguration(
  env: Environment,
  cwd: string,
  readSecret: SecretReader = readSmallFile,
): Configuration {
  const problems: string[] = []
  const read = <Value>(setting: Setting<Value>): Value | undefined => {
    const text = textOf(setting.name, env, readSecret, problems)
    if (text === undefined) return undefined
    const value = setting.parse(text, cwd)
    if (value === undefined) problems.push(`${setting.name} must be ${setting.allowed}`)
    return value
  }

  const dataDir = read(SETTINGS.dataDir) ?? join(cwd, '.holdfast')
  const configuration: Configuration = {
    dataDir,
    redisUrl: read(SETTINGS.redisUrl) ?? 'redis://127.0.0.1:6379',
    catalogUrl: read(SETTINGS.catalogUrl) ?? `sqlite:${join(dataDir, 'catalog.db')}`,
    storageUrl: read(SETTINGS.storageUrl) ?? pathToFileURL(join(dataDir, 'storage')).href,
    host: read(SETTINGS.host) ?? '127.0.0.1',
    port: read(SETTINGS.port) ?? 8420,
    workerPort: read(SETTINGS.workerPort) ?? null,
    masterKeys: read(SETTINGS.masterKeys) ?? null,
    masterKeyFile: join(dataDir, 'master.key'),
    apiKey: read(SETTINGS.apiKey) ?? null,
    rateLimitPerMinute: read(SETTINGS.rateLimitPerMinute) ?? 3000,
    leaseMs: read(SETTINGS.leaseMs) ?? 30_000,
    concurrency: read(SETTINGS.concurrency) ?? 2,
    queues: read(SETTINGS.queues) ?? QUEUE_NAMES,
    pathRoots: read(SETTINGS.pathRoots) ?? [dataDir],
    postgresBinDir: read(SETTINGS.postgresBinDir) ?? null,
    mysqlBinDir: read(SETTINGS.mysqlBinDir) ?? null,
    scratchDir: join(dataDir, 'tmp'),
    keepReplacedHours: read(SETTINGS.keepReplacedHours) ?? 24,
    logLevel: read(SETTINGS.logLevel) ?? 'info',
    warnings: unknownVariables(env),
  }
  problems.push(...contradictions(configuration, env))
  if (problems.length > 0) throw new AppError('INVALID_CONFIGURATION', problems.join('\n'))
  return configuration
}

function textOf(
  name: string,
  env: Environment,
  readSecret: SecretReader,
  problems: string[],
): string | undefined {
  const text = env[name] || undefined
  const file = env[`${name}_FILE`] || undefined
  if (file === undefined) return text
  if (text !== undefined) {
    problems.push(`${name} and ${name}_FILE must not both be set`)
    return undefined
  }
  try {
    return readSecret(file).replace(/\r?\n$/, '') || undefined
  } catch {
    // neither the path nor the system's message is shown: a secret is easily pasted into the wrong variable
    problems.push(`${name}_FILE must be the path of a readable file`)
    return undefined
  }
}

function contradictions(configuration: Configuration, env: Environment): readonly string[] {
  const problems: string[] = []
  const shared = !configuration.catalogUrl.startsWith('sqlite:')
  const keyGiven = Boolean(env[SETTINGS.masterKeys.name] || env[`${SETTINGS.masterKeys.name}_FILE`])
  if (shared && !keyGiven) {
    const { name, allowed } = SETTINGS.masterKeys
    problems.push(`${name} is required with a PostgreSQL catalog and must be ${allowed}`)
  }
  // silently storing in clear what was meant to be encrypted would be worse than not starting
  if (env.HOLDFAST_RECIPIENTS || env.HOLDFAST_RECIPIENTS_FILE) {
    problems.push('HOLDFAST_RECIPIENTS must be unset: this version does not encrypt backups yet')
  }
  return problems
}

function unknownVariables(env: Environment): readonly string[] {
  const known = [
    ...Object.values(SETTINGS).map((setting) => setting.name),
    ...OTHER_VARIABLES,
    'HOLDFAST_RECIPIENTS',
  ]
  return Object.keys(env)
    .filter((name) => name.startsWith('HOLDFAST_') && !name.startsWith('HOLDFAST_TEST_'))
    .filter((name) => !known.includes(name.replace(/_FILE$/, '')))
    .map((name) => `${name} is not a variable of Holdfast${suggestion(name.replace(/_FILE$/, ''), known)}`)
    .sort()
}

function suggestion(name: string, known: readonly string[]): string {
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: editDistance(name, candidate) }))
    .filter(({ edits }) => edits <= 4)
    .sort((a, b) => a.edits - b.edits)
  return nearest ? `; did you mean ${nearest.candidate}?` : ''
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

const LARGEST_SECRET_BYTES = 64 * 1024

function readSmallFile(path: string): string {
  const text = readFileSync(path, 'utf8')
  if (text.length > LARGEST_SECRET_BYTES) throw new RangeError('too large for a secret')
  return text
}
