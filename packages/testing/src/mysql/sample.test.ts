import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintDifferences } from '../fingerprint.ts'
import type { MariadbServer } from '../servers/mariadb.ts'
import { startMariadb } from '../servers/mariadb.ts'
import { mysqlQuery } from './client.ts'
import { mysqlFingerprintOf } from './fingerprint.ts'
import type { MysqlPlace } from './place.ts'
import { makeMysqlPlace } from './place.ts'
import { mysqlSampleProblems, seedMysqlSample } from './sample.ts'

let server: MariadbServer
beforeAll(async () => {
  server = await startMariadb()
})
afterAll(() => server.stop())

describe('a sample schema of MariaDB', () => {
  it('is the same each time but for its mark and when its rows changed', async () => {
    const [one, other] = [await server.createDatabase(), await server.createDatabase()]
    await seedMysqlSample(one)
    await seedMysqlSample(other)
    const differences = fingerprintDifferences(await mysqlFingerprintOf(one), await mysqlFingerprintOf(other))
    expect(differences.filter((line) => !line.startsWith('rows prices'))).toEqual([])
    expect(await mysqlSampleProblems(one)).toEqual([])
  })

  it('tells by its invariants when a change is missing', async () => {
    const url = await server.createDatabase()
    await seedMysqlSample(url)
    await mysqlQuery(url, `INSERT INTO transfers (sender, receiver, amount) VALUES (1, 2, 5)`)
    expect(await mysqlSampleProblems(url)).toHaveLength(2)
  })
})

describe('a place on a MariaDB', () => {
  let place: MysqlPlace
  beforeAll(async () => {
    place = await makeMysqlPlace(server)
  })
  afterAll(() => place.remove())

  it('has schemas that differ, and sees a change in its traces', async () => {
    const [one, other] = [await place.seeded(), await place.large(2)]
    expect(await place.digest(one)).not.toBe(await place.digest(other))
    expect(await place.digest(await place.absent())).toBe('absent')
    expect((await place.rowCounts(one)).prices).toBe(2)
    const before = await place.traces()
    await mysqlQuery(other, `UPDATE records SET name = 'record 1 ' WHERE id = 1`)
    expect(await place.traces()).not.toEqual(before)
  })

  it('is used by applications that keep its invariants', async () => {
    const url = await place.seeded()
    const before = await place.digest(url)
    const use = await place.use(url)
    expect(await use.stop()).toEqual([])
    expect(await place.problems(url)).toEqual([])
    expect(await place.digest(url)).not.toBe(before)
  })

  it('notices a session of the engine that stays', async () => {
    const { name } = place.account
    const { password, port } = new URL(place.scratchUrl)
    const at = { host: '127.0.0.1', port: Number(port), user: name, password: decodeURIComponent(password) }
    const session = await createConnection(at)
    await expect(place.traces()).rejects.toThrow('a session was left')
    await session.end()
  })
})
