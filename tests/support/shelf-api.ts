// The API as it is, with an engine that has servers.
import { loadConfiguration } from '@holdfast/core'
import { buildApp } from '../../apps/api/src/app.ts'
import { compose } from '../../apps/api/src/compose.ts'
import { createLog } from '../../apps/api/src/log.ts'
import { shelfRegistry } from './shelf-engine.ts'

const configuration = loadConfiguration(process.env, process.cwd())
const { deps } = await compose(configuration, createLog(configuration.logLevel))
const drivers = shelfRegistry({ dumpMs: 0, logFile: null })
const { app } = await buildApp({ ...deps, drivers })
await app.listen({ host: configuration.host, port: configuration.port })
