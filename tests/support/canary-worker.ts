// The worker as it is, with an engine whose URLs hold secrets.
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import { createLog } from '../../apps/worker/src/log.ts'
import { canaryRegistry } from './canary-engine.ts'

const configuration = loadConfiguration(process.env, process.cwd())
await compose(configuration, createLog(configuration.logLevel), (deps) => ({
  ...deps,
  drivers: canaryRegistry(),
}))
