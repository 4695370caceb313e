import type { Redis } from 'ioredis'
import { within } from './within.ts'

/** What a Redis is, and what about it endangers accepted work. */
export interface RedisReport {
  readonly version: string
  /** For an operator, one sentence each. */
  readonly warnings: readonly string[]
}

/** Looks at the settings that matter. Rejects with QUEUE_UNAVAILABLE. */
export async function inspectRedis(redis: Redis): Promise<RedisReport> {
  const [info, appendfsync] = await within(redis, 'inspecting redis', () =>
    Promise.all([redis.info(), readAppendfsync(redis)]),
  )
  const facts = new Map(info.split('\r\n').map((line) => splitOnce(line, ':')))
  return {
    version: facts.get('valkey_version') ?? facts.get('redis_version') ?? 'unknown',
    warnings: [
      ...judgePolicy(facts.get('maxmemory_policy')),
      ...judgeAof(facts.get('aof_enabled'), appendfsync),
    ],
  }
}

function judgePolicy(policy: string | undefined): readonly string[] {
  if (policy === 'noeviction') return []
  if (policy === undefined) return ['this Redis does not tell its maxmemory-policy; it must be noeviction']
  return [`maxmemory-policy is ${policy}: jobs may vanish when memory is short; set it to noeviction`]
}

function judgeAof(enabled: string | undefined, appendfsync: string | null): readonly string[] {
  if (enabled === undefined) return ['this Redis does not tell whether it has an append-only file']
  if (enabled !== '1') {
    return ['appendonly is off: a restart of Redis loses queued jobs until a worker enqueues them again']
  }
  if (appendfsync === null) return ['this Redis does not allow CONFIG: appendfsync could not be checked']
  if (appendfsync === 'always') return []
  return [
    `appendfsync is ${appendfsync}: a crash of Redis may lose the newest jobs until they are enqueued again`,
  ]
}

/** Null where CONFIG is refused, as hosted services do. */
async function readAppendfsync(redis: Redis): Promise<string | null> {
  try {
    const answer: unknown = await redis.config('GET', 'appendfsync')
    const value: unknown = Array.isArray(answer) ? answer[1] : null
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

function splitOnce(line: string, separator: string): readonly [string, string] {
  const at = line.indexOf(separator)
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)]
}
