import { cpus } from 'node:os'
import { startSystem } from '../tests/support/system.ts'
import { measureMysql } from './mysql.ts'
import { measurePostgres } from './postgres.ts'
import { measureSqlite } from './sqlite.ts'

// Paired runs, in turn, so that a drifting machine drifts for all of them alike.
// Usage: npm run bench -- [sqlite|postgres|mysql] [sizes in MB]

const ENGINES = {
  sqlite: { measure: measureSqlite, megabytes: [400, 2000] },
  postgres: { measure: measurePostgres, megabytes: [1000] },
  mysql: { measure: measureMysql, megabytes: [300, 1000] },
} as const

const [first = 'sqlite', ...rest] = process.argv.slice(2)
const engine = first === 'postgres' || first === 'mysql' ? first : 'sqlite'
const sizes = (first in ENGINES ? rest : [first, ...rest]).map(Number)
const { measure, megabytes } = ENGINES[engine]

// the options under which `npm run` starts the service too
const { NODE_OPTIONS = '' } = process.env
const system = await startSystem({
  env: { HOLDFAST_LEASE_MS: '30000', HOLDFAST_LOG_LEVEL: 'warn', NODE_OPTIONS },
})
try {
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`)
  await measure(system, sizes.length > 0 ? sizes : megabytes)
} finally {
  await system.stop()
}
