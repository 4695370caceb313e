import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../errors.ts'
import { AppError } from '../errors.ts'
import type { DatabaseDriver } from '../ports/driver.ts'
import type { DriverFactory } from '../ports/driver-factory.ts'
import type { ServerSweepDeps } from './sweep-servers.ts'
import { sweepServers } from './sweep-servers.ts'

const FINISHED = 'op-finished'
const RUNNING = 'op-running'
const UNKNOWN = 'op-of-another-installation'

const never = new AbortController().signal

/** Targets by name, and what their servers do when they are asked; `file:` is an engine without servers. */
interface World {
  readonly targets: Readonly<Record<string, string>>
  readonly removeLeftovers?: DatabaseDriver['removeLeftovers']
}

function worldOf({ targets, removeLeftovers = async () => [] }: World) {
  const asked: string[] = []
  const said: { readonly fields: object; readonly message: string }[] = []
  const refuse = (code: ErrorCode) => () => Promise.reject(new AppError(code, 'no'))
  const factory = (url: string) => ({
    servers: url.startsWith('file:') ? null : { urlOf: (known: string) => known.replace(/[^/]*$/, 'any') },
    displayUrl: (known: string) => known.replace(/:[^:@]*@/, '@'),
    create: () => ({
      removeLeftovers: (...args: Parameters<DatabaseDriver['removeLeftovers']>) => {
        asked.push(url)
        return removeLeftovers(...args)
      },
    }),
  })
  const names = Object.keys(targets)
  // the parts that are used, of ports that have many more
  const deps = {
    catalog: {
      targets: {
        list: async (_filter: object, { cursor }: { cursor: string | null }) => {
          const at = Number(cursor ?? 0)
          return {
            items: names.slice(at, at + 1).map((name) => ({ name })),
            nextCursor: at + 1 < names.length ? String(at + 1) : null,
            total: names.length,
          }
        },
        sealedUrl: async (name: string) => targets[name],
      },
      operations: {
        get: (id: string) =>
          id === UNKNOWN
            ? refuse('OPERATION_NOT_FOUND')()
            : Promise.resolve({ state: id === FINISHED ? 'failed' : 'running' }),
      },
    },
    drivers: { forUrl: (url: string) => factory(url) as unknown as DriverFactory },
    seal: { open: (text: string) => text },
    driverContext: {},
    log: { warn: (fields: object, message: string) => void said.push({ fields, message }) },
  } as unknown as ServerSweepDeps
  return { deps, asked, said }
}

describe('sweepServers', () => {
  it('asks every server once, whatever its databases and passwords, but once for each user', async () => {
    const { deps, asked, said } = worldOf({
      targets: {
        shop: 'pg://app:one@db/shop',
        crm: 'pg://app:two@db/crm',
        whole: 'pg://app:two@db/',
        other: 'pg://root:x@db/shop',
        elsewhere: 'pg://app:one@db2/shop',
        notes: 'file:///notes',
      },
    })
    expect(await sweepServers(deps, never)).toBe(0)
    expect(asked.toSorted()).toEqual(['pg://app:one@db/shop', 'pg://app:one@db2/shop', 'pg://root:x@db/shop'])
    expect(said).toEqual([])
  })

  it('removes what is over, spares what runs and what it does not know, and tells what it removed', async () => {
    const { deps, said } = worldOf({
      targets: { shop: 'pg://app:one@db/shop' },
      async removeLeftovers(isOver) {
        const over = []
        for (const id of [FINISHED, RUNNING, UNKNOWN]) if (await isOver(id)) over.push(`drill of ${id}`)
        return over
      },
    })
    expect(await sweepServers(deps, never)).toBe(1)
    const fields = { target: 'shop', leftovers: [`drill of ${FINISHED}`] }
    expect(said).toEqual([{ fields, message: expect.stringContaining('removed') }])
  })

  it('skips servers that cannot be reached, or take too long, with one word about each', async () => {
    const targets = { gone: 'pg://a:b@gone/x', mute: 'pg://a:b@mute/x', fine: 'pg://a:b@fine/x' }
    let asked = 0
    const { deps, said } = worldOf({
      targets,
      async removeLeftovers(_isOver, signal) {
        asked += 1
        if (asked === 1) throw new AppError('TARGET_UNREACHABLE', 'nothing listens there')
        if (asked === 3) return ['something']
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        throw new AppError('CANCELLED', 'cancelled')
      },
    })
    expect(await sweepServers(deps, never, 50)).toBe(1)
    const skipped = said.filter(({ message }) => message.includes('could not be searched'))
    expect(skipped.map(({ fields }) => fields)).toMatchObject([{ target: 'gone' }, { target: 'mute' }])
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const { deps, asked } = worldOf({
      targets: Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`t${at}`, `pg://a:b@s${at}/x`])),
      async removeLeftovers() {
        stop.abort()
        return []
      },
    })
    await expect(sweepServers(deps, stop.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(asked.length).toBeLessThan(20)
  })
})
