// The worker as it is, but that it gives up servers that are silent after seconds instead of a minute, and takes every
// attempt for the last one unless the target is named `patient`.
import type { Catalog } from '@holdfast/core'
import { loadConfiguration } from '@holdfast/core'
import { createDriverRegistry, mysqlDriverFactory, postgresDriverFactory } from '@holdfast/drivers'
import { compose } from '@holdfast/worker-app'
import { createLog } from '../../apps/worker/src/log.ts'

const IMPATIENT = { askEveryMs: 200, silentForMs: 1500, tidyWithinMs: 1000 }
const LAST_ATTEMPT = 3

const configuration = loadConfiguration(process.env, process.cwd())
const drivers = createDriverRegistry([postgresDriverFactory(IMPATIENT), mysqlDriverFactory(IMPATIENT)])
await compose(configuration, createLog(configuration.logLevel), (deps) => ({
  ...deps,
  drivers,
  catalog: hopeless(deps.catalog),
}))

function hopeless(catalog: Catalog): Catalog {
  const { operations } = catalog
  return {
    ...catalog,
    operations: {
      ...operations,
      async acquire(asked) {
        const acquired = await operations.acquire(asked)
        if (!acquired.granted || acquired.operation.target === 'patient') return acquired
        return { ...acquired, operation: { ...acquired.operation, attempts: LAST_ATTEMPT } }
      },
    },
  }
}
