import type { MariadbServer } from '@holdfast/testing'
import { describeDriverContract, makeMysqlPlace, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll } from 'vitest'
import { mysqlDriverFactory } from './mysql-factory.ts'

let server: MariadbServer
beforeAll(async () => {
  server = await startMariadb()
})
afterAll(() => server?.stop())

describeDriverContract('mysql', {
  open: () => mysqlDriverFactory(),
  module: { url: new URL('./mysql-factory.ts', import.meta.url).href, name: 'mysqlDriverFactory' },
  exchangesInSteps: true,
  makePlace: () => makeMysqlPlace(server),
})
