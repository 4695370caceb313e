// The API as it is, with an engine whose URLs hold secrets.
import { loadConfiguration } from '@holdfast/core'
import { buildApp } from '../../apps/api/src/app.ts'
import { compose } from '../../apps/api/src/compose.ts'
import { createLog } from '../../apps/api/src/log.ts'
import { canaryRegistry } from './canary-engine.ts'

const configuration = loadConfiguration(process.env, process.cwd())
const { deps } = await compose(configuration, createLog(configuration.logLevel))
const { app } = await buildApp({ ...deps, drivers: canaryRegistry() })
await app.listen({ host: configuration.host, port: configuration.port })
