import { appendFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseDriver, DatabaseInfo, DriverFactory, DriverRegistry } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { createDriverRegistry, sqliteDriverFactory } from '@holdfast/drivers'
import { over } from './over.ts'

/** A directory, and a file in it unless a server is named. */
const SHAPE = /^shelf:\/\/(\/[^?#]*\/)([^/?#]*)$/
const SUFFIX = '.db'

export interface ShelfOptions {
  /** How long each dump takes at least. */
  readonly dumpMs: number
  /** Receives a line when a dump begins and one when it ends. */
  readonly logFile: string | null
}

/**
 * An engine whose servers are directories and whose databases are the SQLite files in them: as real as SQLite, and with
 * all that a server has. Dumps of databases whose name holds `slow` last until they are cancelled.
 */
export function shelfRegistry(options: ShelfOptions): DriverRegistry {
  return createDriverRegistry([shelfFactory(sqliteDriverFactory(), options)])
}

/** The URL of a directory as a server. */
export function shelfUrl(directory: string): string {
  return `shelf://${directory}/`
}

function shelfFactory(sqlite: DriverFactory, options: ShelfOptions): DriverFactory {
  return {
    engine: 'shelf',
    schemes: ['shelf'],
    formats: [...sqlite.formats, { name: 'other', extension: 'other', streams: false }],
    supports: { ...sqlite.supports, globals: true, definers: true },
    servers: {
      isServer: (url) => parse(url).database === '',
      urlOf: (serverUrl, database) => `${serverUrl}${encodeURIComponent(requireDatabase(database))}`,
      async databases(serverUrl, _context, signal) {
        signal.throwIfAborted()
        return databasesIn(parse(serverUrl).directory)
      },
    },
    create(url, context) {
      const { directory, database } = parse(url)
      if (database === '') return serverDriver(directory)
      return shelfDriver(sqlite.create(fileUrl(url), context), database, options)
    },
    displayUrl: (url) => `shelf://${parse(url).directory}${encodeURIComponent(parse(url).database)}`,
    check: (...args) => sqlite.check(...args),
    restoreSteps: (parts) => sqlite.restoreSteps(parts),
    lockKeyOf: async (url) =>
      parse(url).database === '' ? `shelf:${parse(url).directory}` : sqlite.lockKeyOf(fileUrl(url)),
    close: () => sqlite.close(),
  }
}

function shelfDriver(driver: DatabaseDriver, database: string, options: ShelfOptions): DatabaseDriver {
  const note = (event: string) => {
    if (options.logFile !== null) {
      appendFileSync(
        options.logFile,
        `${JSON.stringify({ event, database, at: Number(process.hrtime.bigint()) })}\n`,
      )
    }
  }
  return over(driver, {
    engine: 'shelf',
    async dump(request, signal) {
      note('begin')
      try {
        await sleep(database.includes('slow') ? 60_000 : options.dumpMs, undefined, { signal }).catch(() => {
          throw signal.reason
        })
        const summary = await driver.dump({ ...request, globals: 'none' }, signal)
        if (request.globals === 'none') return summary
        const globals = { role: 'globals', format: 'sql', content: `-- ${request.globals}\n` } as const
        return { ...summary, attachments: [globals] }
      } finally {
        note('end')
      }
    },
  })
}

/** A server can be looked at, and nothing else. */
function serverDriver(directory: string): DatabaseDriver {
  const no = async (): Promise<never> => {
    throw new AppError('INVALID_CONNECTION', 'the URL names a server, not a database')
  }
  return {
    engine: 'shelf',
    async inspect(): Promise<DatabaseInfo> {
      const details = { databases: (await databasesIn(directory)).length }
      const versions = { version: '1', toolVersion: '1' }
      return { ...versions, sizeBytes: 0, lockKey: `shelf:${directory}`, files: [], details, warnings: [] }
    },
    ...{ dump: no, inspectDestination: no, preflight: no, stage: no, swap: no, discardStaged: no, undo: no },
    ...{ removeReplaced: no, removeLeftovers: async () => [] },
  }
}

async function databasesIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory).catch(() => {
    throw new AppError('TARGET_UNREACHABLE', 'the server is not there')
  })
  const files = entries.filter((entry) => entry.endsWith(SUFFIX) && !entry.startsWith('.'))
  return files.map((entry) => entry.slice(0, -SUFFIX.length))
}

function requireDatabase(name: string): string {
  if (!name.includes('/')) return name
  throw new AppError('INVALID_CONNECTION', 'no database of this server can be called this')
}

function parse(url: string): { readonly directory: string; readonly database: string } {
  const [, directory, database] = SHAPE.exec(url) ?? []
  if (directory !== undefined && database !== undefined) {
    return { directory, database: decodeURIComponent(database) }
  }
  throw new AppError('INVALID_CONNECTION', 'the URL is not of the form shelf:///directory/database')
}

/** The same place for the SQLite driver, which parses it. */
function fileUrl(url: string): string {
  const { directory, database } = parse(url)
  const path = `${directory}${database}${SUFFIX}`.split('/').map(encodeURIComponent).join('/')
  return `sqlite://${path}`
}
