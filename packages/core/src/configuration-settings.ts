import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OPERATION_TYPES } from './domain/operation.ts'

/** The queues that workers may serve: one per type of operation, and one for housekeeping. */
export const QUEUE_NAMES = [...OPERATION_TYPES, 'maintenance'] as const
export type QueueName = (typeof QUEUE_NAMES)[number]

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** One environment variable: what it means, what it may hold, and how it is read. */
export interface Setting<Value> {
  readonly name: string
  /** Completes "… must be": the only thing ever said about a wrong value. */
  readonly allowed: string
  /** The default as documented; the code that applies it is next to the use where it depends on others. */
  readonly fallback: string
  readonly description: string
  /** Undefined means not allowed. */
  readonly parse: (text: string, cwd: string) => Value | undefined
}

/** Every variable that the service reads, in the order of docs/configuration.md. */
export const SETTINGS = {
  dataDir: {
    name: 'HOLDFAST_DATA_DIR',
    allowed: 'a directory path',
    fallback: '`./.holdfast`',
    description: 'Where the catalog, the storage, keys and temporary files lie unless told otherwise.',
    parse: pathFrom,
  },
  redisUrl: {
    name: 'HOLDFAST_REDIS_URL',
    allowed: 'a URL that starts with redis:// or rediss://',
    fallback: '`redis://127.0.0.1:6379`',
    description: 'The Redis that holds work in flight.',
    parse: (text) => urlOf(text, ['redis:', 'rediss:']),
  },
  catalogUrl: {
    name: 'HOLDFAST_CATALOG_URL',
    allowed: 'sqlite:PATH, or a URL that starts with postgres://',
    fallback: '`sqlite:<data directory>/catalog.db`',
    description: 'Where the catalog lies: an SQLite file (one machine) or a PostgreSQL database.',
    parse: catalogFrom,
  },
  storageUrl: {
    name: 'HOLDFAST_STORAGE_URL',
    allowed: 'file:///ABSOLUTE/PATH',
    fallback: '`file://<data directory>/storage`',
    description: 'Where backups are stored.',
    parse: storageFrom,
  },
  host: {
    name: 'HOLDFAST_HOST',
    allowed: 'a host name or an IP address',
    fallback: '`127.0.0.1`',
    description: 'The address on which the API listens.',
    parse: (text) => (/^[a-zA-Z0-9.:_-]{1,253}$/.test(text) ? text : undefined),
  },
  port: {
    name: 'HOLDFAST_PORT',
    allowed: 'a whole number from 0 to 65535 (0: any free port)',
    fallback: '`8420`',
    description: 'The port on which the API listens.',
    parse: (text) => wholeNumber(text, 0, 65_535),
  },
  workerPort: {
    name: 'HOLDFAST_WORKER_PORT',
    allowed: 'a whole number from 0 to 65535 (0: any free port)',
    fallback: 'none: the worker listens on no port',
    description: "The port of the worker's own probes and metrics.",
    parse: (text) => wholeNumber(text, 0, 65_535),
  },
  masterKeys: {
    name: 'HOLDFAST_MASTER_KEY',
    allowed: '32 bytes in base64, or several such keys separated by commas',
    fallback: 'made once in `<data directory>/master.key` for an SQLite catalog; required with PostgreSQL',
    description:
      'Seals the credentials in the catalog. The first key seals, all of them open: put a new key in front to rotate.',
    parse: keysFrom,
  },
  apiKey: {
    name: 'HOLDFAST_API_KEY',
    allowed: '16 to 512 printable ASCII characters without spaces',
    fallback: 'made and shown once if there is no admin key',
    description: 'An admin key that is not kept in the catalog.',
    parse: (text) => (/^[\x21-\x7e]{16,512}$/.test(text) ? text : undefined),
  },
  rateLimitPerMinute: {
    name: 'HOLDFAST_RATE_LIMIT',
    allowed: 'a whole number from 1 to 1000000',
    fallback: '`3000`',
    description: 'Requests a minute that one key may make; the rest is answered with 429.',
    parse: (text) => wholeNumber(text, 1, 1_000_000),
  },
  leaseMs: {
    name: 'HOLDFAST_LEASE_MS',
    allowed: 'a whole number from 1000 to 3600000',
    fallback: '`30000`',
    description: 'How long a database stays locked after its worker was last heard of, in milliseconds.',
    parse: (text) => wholeNumber(text, 1000, 3_600_000),
  },
  concurrency: {
    name: 'HOLDFAST_CONCURRENCY',
    allowed: 'a whole number from 1 to 64',
    fallback: '`2`',
    description: 'Jobs of one queue that a worker runs at the same time.',
    parse: (text) => wholeNumber(text, 1, 64),
  },
  queues: {
    name: 'HOLDFAST_QUEUES',
    allowed: `some of ${QUEUE_NAMES.join(', ')}, separated by commas`,
    fallback: 'all of them',
    description: 'The queues that a worker serves.',
    parse: queuesFrom,
  },
  pathRoots: {
    name: 'HOLDFAST_PATH_ROOTS',
    allowed: "absolute directory paths separated by ':'",
    fallback: 'the data directory',
    description:
      'Where SQLite files and included directories may lie. Links are followed before this is judged.',
    parse: rootsFrom,
  },
  postgresBinDir: {
    name: 'HOLDFAST_POSTGRES_BIN_DIR',
    allowed: 'an absolute directory path',
    fallback: 'none: the usual places and PATH are searched',
    description:
      "A directory with PostgreSQL's pg_dump, pg_dumpall, pg_restore and psql, looked at before the usual places.",
    parse: directoryFrom,
  },
  mysqlBinDir: {
    name: 'HOLDFAST_MYSQL_BIN_DIR',
    allowed: 'an absolute directory path',
    fallback: 'none: the usual places and PATH are searched',
    description:
      'A directory with mariadb-dump and mariadb, or mysqldump and mysql, looked at before the usual places.',
    parse: directoryFrom,
  },
  keepReplacedHours: {
    name: 'HOLDFAST_KEEP_REPLACED_HOURS',
    allowed: 'a number from 0 to 8760',
    fallback: '`24`',
    description: 'How long what a restore replaced is kept aside, so that it can be undone.',
    parse: (text) => (/^\d{1,4}(\.\d{1,6})?$/.test(text) && Number(text) <= 8760 ? Number(text) : undefined),
  },
  logLevel: {
    name: 'HOLDFAST_LOG_LEVEL',
    allowed: `one of ${LOG_LEVELS.join(', ')}`,
    fallback: '`info`',
    description: 'How much is logged.',
    parse: (text) => LOG_LEVELS.find((level) => level === text),
  },
} as const satisfies Record<string, Setting<unknown>>

/** Variables of other programs of the project, and of releases to come that nothing depends on yet. */
export const OTHER_VARIABLES: readonly string[] = [
  'HOLDFAST_URL',
  'HOLDFAST_KEY',
  'HOLDFAST_ENV',
  'HOLDFAST_IDENTITY',
  'HOLDFAST_NODE',
]

function pathFrom(text: string, cwd: string): string | undefined {
  return text.includes('\0') ? undefined : resolve(cwd, text)
}

function urlOf(text: string, protocols: readonly string[]): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : null
  return url && protocols.includes(url.protocol) && url.hostname !== '' ? text : undefined
}

function catalogFrom(text: string, cwd: string): string | undefined {
  if (!text.startsWith('sqlite:')) return urlOf(text, ['postgres:', 'postgresql:'])
  const path = sqlitePathFrom(text.slice('sqlite:'.length))
  return path === undefined ? undefined : `sqlite:${resolve(cwd, path)}`
}

/** A path as it is, or `//` and an absolute one that is percent-encoded, like the URL of a target. */
function sqlitePathFrom(text: string): string | undefined {
  try {
    const path = text.startsWith('///') ? decodeURIComponent(text.slice(2)) : text
    const isFile = path !== '' && !path.startsWith('//') && !path.startsWith(':') && !path.endsWith('/')
    return isFile && path.trim() === path && !path.includes('\0') ? path : undefined
  } catch {
    return undefined
  }
}

function storageFrom(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol !== 'file:' || url.host !== '' || url.search !== '' || url.hash !== '') return undefined
  if (!text.startsWith('file:///') || /%(2f|00)/i.test(url.pathname)) return undefined
  try {
    fileURLToPath(url)
  } catch {
    return undefined
  }
  return url.href
}

function wholeNumber(text: string, least: number, most: number): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  return value >= least && value <= most ? value : undefined
}

function keysFrom(text: string): readonly Uint8Array[] | undefined {
  const keys = text.split(',').map((key) => key.trim())
  // Buffer.from skips what is not base64, so the text is judged first
  const wellFormed = keys.every((key) => /^[A-Za-z0-9+/_-]{43}=?$/.test(key))
  return wellFormed ? keys.map((key) => Buffer.from(key, 'base64')) : undefined
}

function queuesFrom(text: string): readonly QueueName[] | undefined {
  const asked = new Set(text.split(',').map((name) => name.trim()))
  const known = QUEUE_NAMES.filter((name) => asked.has(name))
  return known.length === asked.size ? known : undefined
}

function rootsFrom(text: string): readonly string[] | undefined {
  const roots = text.split(':').filter((root) => root !== '')
  const allowed = roots.length > 0 && roots.every((root) => isAbsolute(root) && !root.includes('\0'))
  return allowed ? [...new Set(roots.map((root) => resolve(root)))] : undefined
}

function directoryFrom(text: string): string | undefined {
  return isAbsolute(text) && !text.includes('\0') ? resolve(text) : undefined
}
