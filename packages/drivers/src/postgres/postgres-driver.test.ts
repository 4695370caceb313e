import type { PostgresServer } from '@holdfast/testing'
import { describeDriverContract, makePostgresPlace, startPostgres } from '@holdfast/testing'
import { afterAll, beforeAll } from 'vitest'
import { postgresDriverFactory } from './postgres-factory.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

describeDriverContract('postgres', {
  open: () => postgresDriverFactory(),
  module: { url: new URL('./postgres-factory.ts', import.meta.url).href, name: 'postgresDriverFactory' },
  makePlace: () => makePostgresPlace(server),
})
