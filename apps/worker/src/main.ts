// A worker process: configured by the environment, stopped by SIGTERM.
import type { Configuration } from '@holdfast/core'
import { AppError, loadConfiguration } from '@holdfast/core'
import closeWithGrace from 'close-with-grace'
import { compose } from './compose.ts'
import { createLog } from './log.ts'
import { listenForProbes } from './probes.ts'

/** By convention: the configuration is wrong, and starting again cannot help. */
const EXIT_CONFIGURATION = 78
/** Running work may end by itself for so long before it is handed back. */
const GRACE_MS = 4_000
const CLOSE_MS = 9_000

const configuration = configure()
if (configuration) await run(configuration)

async function run(configuration: Configuration): Promise<void> {
  const log = createLog(configuration.logLevel)
  for (const warning of configuration.warnings) log.warn({ warning }, 'configuration looks wrong')
  try {
    const worker = await compose(configuration, log)
    const probes = await listenForProbes(configuration, worker)
    log.info({ queues: configuration.queues, probesPort: probes.port }, 'working')
    closeWithGrace(
      { delay: CLOSE_MS, logger: false, onTimeout: () => log.error({}, 'closing took too long') },
      async (why) => {
        if (why.err) log.fatal({ err: why.err }, 'unexpected error, closing')
        else log.info({ signal: why.signal }, 'closing')
        await probes.close()
        await worker.close({ graceMs: GRACE_MS })
      },
    )
  } catch (error) {
    log.fatal({ err: error }, 'cannot start')
    if (error instanceof AppError) say(error)
    // an open connection would keep a process alive that does nothing
    process.exit(error instanceof AppError && error.code === 'INVALID_CONFIGURATION' ? EXIT_CONFIGURATION : 1)
  }
}

function configure(): Configuration | null {
  try {
    return loadConfiguration(process.env, process.cwd())
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    say(error)
    process.exitCode = EXIT_CONFIGURATION
    return null
  }
}

function say(error: AppError): void {
  process.stderr.write(`${error.message}\n${error.hint === null ? '' : `${error.hint}\n`}`)
}
