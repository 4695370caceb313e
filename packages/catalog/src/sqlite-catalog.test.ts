import { join } from 'node:path'
import { describeCatalogContract, makeTemporaryDirectory } from '@holdfast/testing'
import { openCatalog } from './open-catalog.ts'

describeCatalogContract('SQLite', {
  async create() {
    const directory = await makeTemporaryDirectory('catalog')
    const url = `sqlite:${join(directory.path, 'catalog.sqlite')}`
    return { open: (clocks) => openCatalog({ url, ...clocks }), remove: () => directory.remove() }
  },
})
