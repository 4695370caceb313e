// Sample SQLite databases and applications that use them; free of the test runner, for the bench and the quickstart.
export type { SampleOptions } from './sqlite-fixtures.ts'
export {
  createLargeDatabase,
  createSampleDatabase,
  databaseDigest,
  rowCountsOf,
  sampleProblems,
} from './sqlite-fixtures.ts'
export type { SqliteWriter, WriterOptions, WriterReport } from './start-sqlite-writer.ts'
export { startSqliteWriter } from './start-sqlite-writer.ts'
