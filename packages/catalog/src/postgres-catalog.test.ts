import type { PostgresServer } from '@holdfast/testing'
import { describeCatalogContract, startPostgres } from '@holdfast/testing'
import { afterAll } from 'vitest'
import { openCatalog } from './open-catalog.ts'

let starting: Promise<PostgresServer> | null = null

afterAll(async () => {
  await (await starting)?.stop()
})

describeCatalogContract('PostgreSQL', {
  async create() {
    starting ??= startPostgres()
    const url = await (await starting).createDatabase()
    // the database goes with the server
    return { open: (clocks) => openCatalog({ url, ...clocks }), remove: async () => {} }
  },
})
