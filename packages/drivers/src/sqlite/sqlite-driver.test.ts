import { describeDriverContract, makeSqlitePlace } from '@holdfast/testing'
import { sqliteDriverFactory } from './sqlite-factory.ts'

for (const journalMode of ['wal', 'delete'] as const) {
  describeDriverContract(`sqlite (${journalMode})`, {
    open: () => sqliteDriverFactory(),
    module: { url: new URL('./sqlite-factory.ts', import.meta.url).href, name: 'sqliteDriverFactory' },
    makePlace: () => makeSqlitePlace({ journalMode }),
  })
}
