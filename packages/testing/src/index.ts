export type { SampleUse, UseOptions } from './applications.ts'
export type { CatalogPlace, CatalogSubject } from './catalog/subject.ts'
export { describeCatalogContract } from './catalog-contract.ts'
export type { BitFlip } from './damage.ts'
export { bitFlips, seededRandom, truncations, withFlip } from './damage.ts'
export type { TakenDump } from './driver/bench.ts'
export { allow, DriverBench, namesIn, never } from './driver/bench.ts'
export type { DatabaseUse, DriverPlace, DriverSubject } from './driver/subject.ts'
export { describeDriverContract } from './driver-contract.ts'
export { fingerprintDifferences } from './fingerprint.ts'
export { HOSTILE_KEYS } from './hostile-keys.ts'
export { useMysqlSample } from './mysql/applications.ts'
export type { MysqlClient, MysqlRow } from './mysql/client.ts'
export {
  mysqlName,
  mysqlQuery,
  mysqlSchemaOf,
  openMysqlClient,
  withMysqlClient,
} from './mysql/client.ts'
export { mysqlFingerprintOf, mysqlServerFingerprintOf } from './mysql/fingerprint.ts'
export type { MysqlPlace } from './mysql/place.ts'
export { makeMysqlPlace } from './mysql/place.ts'
export type { MysqlSampleOptions } from './mysql/sample.ts'
export { mysqlSampleProblems, seedMysqlSample } from './mysql/sample.ts'
export type { MysqlEverythingOptions } from './mysql/seed-everything.ts'
export { seedMysqlAccounts, seedMysqlEverything } from './mysql/seed-everything.ts'
export { usePostgresSample } from './postgres/applications.ts'
export {
  postgresFingerprintOf,
  postgresServerFingerprintOf,
} from './postgres/fingerprint.ts'
export type { PostgresPlace } from './postgres/place.ts'
export { makePostgresPlace } from './postgres/place.ts'
export type { PostgresSampleOptions } from './postgres/sample.ts'
export { postgresSampleProblems, seedEncodedText, seedPostgresSample } from './postgres/sample.ts'
export type { EverythingOptions } from './postgres/seed-everything.ts'
export { seedDatabaseProperties, seedEverything, seedServer } from './postgres/seed-everything.ts'
export { descendantsOf, waitUntilGone } from './processes.ts'
export { rejectsWith, throwsWith } from './rejects-with.ts'
export type {
  AccountOptions,
  HeldMariadbSession,
  MariadbAccount,
  MariadbOptions,
  MariadbServer,
} from './servers/mariadb.ts'
export { startMariadb } from './servers/mariadb.ts'
export type {
  HeldSession,
  PostgresOptions,
  PostgresRole,
  PostgresRow,
  PostgresServer,
  RoleOptions,
} from './servers/postgres.ts'
export { startPostgres } from './servers/postgres.ts'
export { failingHalfWay, inHalves, inPieces, sha256Hex } from './sources.ts'
export type { SqlitePlace } from './sqlite-place.ts'
export { makeSqlitePlace, sqliteUrl } from './sqlite-place.ts'
export type { StressOptions, StressReport } from './sqlite-stress.ts'
export { stressDumps } from './sqlite-stress.ts'
export { fingerprintOf, holdSqliteLock, requireSqliteRefusal } from './sqlite-trouble.ts'
export type { StorageSubject } from './storage/subject.ts'
export { keysBelow, objectsBelow, putBytes, readBytes, requireNothing } from './storage-access.ts'
export { describeStorageContract } from './storage-contract.ts'
export type { TemporaryDirectory } from './temporary-directory.ts'
export { makeTemporaryDirectory } from './temporary-directory.ts'
