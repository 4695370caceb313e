import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseDriver, DriverFactory, DriverRegistry } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { createDriverRegistry, sqliteDriverFactory } from '@holdfast/drivers'
import { over } from './over.ts'

const SHAPE = /^canary:\/\/[^@/]*@(\/[^?#]*)\?token=[^&#]*$/
/** A file with this in its name is dumped slowly, so that the work can be cancelled. */
const SLOW = 'slow'
const SLOW_MS = 10_000

/** SQLite behind URLs with a user, a password and a token, as those of servers have. */
export function canaryRegistry(): DriverRegistry {
  return createDriverRegistry([canaryFactory(sqliteDriverFactory())])
}

/** The URL of a file, with secrets in the places where URLs have them. */
export function canaryUrl(file: string, password: string, token: string): string {
  const path = file.split('/').map(encodeURIComponent).join('/')
  return `canary://user:${encodeURIComponent(password)}@${path}?token=${encodeURIComponent(token)}`
}

function canaryFactory(sqlite: DriverFactory): DriverFactory {
  return {
    engine: 'canary',
    schemes: ['canary'],
    formats: sqlite.formats,
    supports: sqlite.supports,
    servers: null,
    create: (url, context) => canaryDriver(sqlite.create(plainUrl(url), context), url),
    displayUrl: (url) => sqlite.displayUrl(plainUrl(url)).replace(/^sqlite:/, 'canary:'),
    check: (...args) => sqlite.check(...args),
    restoreSteps: (parts) => sqlite.restoreSteps(parts),
    lockKeyOf: (url) => sqlite.lockKeyOf(plainUrl(url)),
    close: () => sqlite.close(),
  }
}

function canaryDriver(driver: DatabaseDriver, url: string): DatabaseDriver {
  return over(driver, {
    engine: 'canary',
    async dump(request, signal) {
      if (url.includes(SLOW)) await sleep(SLOW_MS, undefined, { signal })
      return driver.dump(request, signal)
    },
  })
}

function plainUrl(url: string): string {
  const [, path] = SHAPE.exec(url) ?? []
  if (path !== undefined) return `sqlite://${path}`
  throw new AppError('INVALID_CONNECTION', 'the URL is not of the form canary://user:password@/path?token=…')
}
