import { accessSync, closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Configuration, Environment } from '@holdfast/core'
import { loadConfiguration } from '@holdfast/core'
import { tieToParent } from '../setup/tie-to-parent.mjs'
import { claimPort, urlOf } from './address.ts'
import type { LastingRedis } from './lasting-redis.ts'
import { startLastingRedis } from './lasting-redis.ts'
import { untilReady } from './readiness.ts'
import type { Supervised } from './supervise.ts'
import { supervise } from './supervise.ts'

const ROOT = dirname(dirname(import.meta.dirname))
/** With the time that Redis may take to end, this stays under the ten seconds that a service manager grants. */
const GRACE_MS = 6_000

/** Why the service could not be started, in words for whoever started it. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
}

/** How to start the service. */
export interface ServiceOptions {
  /** The configuration, as environment variables; nothing else is read from the environment. */
  readonly env: Environment
  /** Aborted: the start is given up and what was started is stopped. */
  readonly signal?: AbortSignal
  /** Without it the start takes as long as it takes. */
  readonly readyTimeoutMs?: number
  /** Where API and worker write: to our output (default), or to a file, which is appended to. */
  readonly logFile?: string
  /** Gets a line for people when something happens: a restart, the reason why it is not ready. */
  readonly say?: (line: string) => void
  /** For tests: the directory with `apps/api/src/main.ts` and `apps/worker/src/main.ts`. */
  readonly root?: string
}

/** Redis (unless one is configured), API and one worker, running on this machine. */
export interface Service {
  readonly apiUrl: string
  /** May hold a password: not for logs. */
  readonly redisUrl: string
  /** Resolves, with the reason, when a part has ended too often; the rest is for the caller to stop. */
  readonly failed: Promise<string>
  /** Stops everything: API and worker together, then Redis; within ten seconds nothing is left. */
  stop(): Promise<void>
}

/**
 * Starts everything and resolves when the API says that the service can work. Rejects with an AppError if the
 * configuration is wrong or Redis does not start, with a {@link StartFailure} if a part does not stay up or time is up,
 * and with the signal's reason if that is aborted; nothing is left running then.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { env, say = () => {} } = options
  const configuration = loadConfiguration(env, process.cwd())
  const port = await claimPort(configuration.host, configuration.port)
  requireDataDir(configuration.dataDir)

  const redis = isRedisGiven(env) ? null : await startOwnRedis(configuration.dataDir, say)
  let parts: readonly Supervised[] = []
  try {
    parts = startParts(options, partEnvironment(env, configuration, port, redis))
    const apiUrl = urlOf(configuration.host, port)
    const failed = Promise.race([...parts, ...(redis === null ? [] : [redis])].map((part) => part.gaveUp))
    await ready(apiUrl, failed, options)
    let stopping: Promise<void> | null = null
    return {
      apiUrl,
      redisUrl: redis?.url ?? configuration.redisUrl,
      failed,
      stop() {
        stopping ??= stopAll(parts, redis)
        return stopping
      },
    }
  } catch (error) {
    await stopAll(parts, redis)
    throw error
  }
}

/** Makes the data directory; rejects with a {@link StartFailure} if this user cannot work in it. */
export function requireDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw unusable(dataDir, error)
  }
}

async function startOwnRedis(dataDir: string, say: (line: string) => void): Promise<LastingRedis> {
  try {
    return await startLastingRedis(dataDir, say)
  } catch (error) {
    throw error instanceof Error && 'syscall' in error ? unusable(dataDir, error) : error
  }
}

/** The system's own errors name the file and what is wrong with it. */
function unusable(dataDir: string, cause: unknown): StartFailure {
  const why = cause instanceof Error ? cause.message : String(cause)
  const hint = 'let everything in it belong to this user, or choose another with HOLDFAST_DATA_DIR'
  return new StartFailure(`cannot use the data directory ${dataDir}: ${why}\n  ${hint}`, { cause })
}

async function stopAll(parts: readonly Supervised[], redis: LastingRedis | null): Promise<void> {
  await Promise.all(parts.map((part) => part.stop(GRACE_MS)))
  await redis?.stop()
}

function isRedisGiven(env: Environment): boolean {
  return Boolean(env.HOLDFAST_REDIS_URL || env.HOLDFAST_REDIS_URL_FILE)
}

function partEnvironment(
  env: Environment,
  { dataDir }: Configuration,
  port: number,
  redis: LastingRedis | null,
): Environment {
  const common = { ...env, HOLDFAST_DATA_DIR: dataDir, HOLDFAST_PORT: String(port) }
  return redis === null ? common : { ...common, HOLDFAST_REDIS_URL: redis.url }
}

function startParts(options: ServiceOptions, env: Environment): readonly Supervised[] {
  const { logFile, root = ROOT, say = () => {} } = options
  const tie = tieToParent('TERM', process.env.PATH ?? '')
  const output = logFile === undefined ? 'inherit' : openSync(logFile, 'a', 0o600)
  try {
    return ['api', 'worker'].map((name) =>
      supervise({
        name,
        command: [...tie, process.execPath, join(root, 'apps', name, 'src', 'main.ts')],
        env,
        output,
        say,
      }),
    )
  } finally {
    // each child has its own descriptor of it
    if (output !== 'inherit') closeSync(output)
  }
}

async function ready(apiUrl: string, failed: Promise<string>, options: ServiceOptions): Promise<void> {
  const { signal, readyTimeoutMs, say = () => {} } = options
  const enough = new AbortController()
  let lastAnswer = ''
  const giveUp = (): void => {
    enough.abort(new StartFailure(`the service is not ready after ${readyTimeoutMs} ms: ${lastAnswer}`))
  }
  const timer = readyTimeoutMs === undefined ? undefined : setTimeout(giveUp, readyTimeoutMs)
  void failed.then((why) => enough.abort(new StartFailure(why)))
  try {
    await untilReady(apiUrl, AbortSignal.any([enough.signal, ...(signal ? [signal] : [])]), (why) => {
      lastAnswer = why
      say(`not ready: ${why}`)
    })
  } finally {
    clearTimeout(timer)
  }
}
