// The API process: configured by the environment, stopped by SIGTERM.
import type { Configuration } from '@holdfast/core'
import { AppError, hasCode, loadConfiguration } from '@holdfast/core'
import closeWithGrace from 'close-with-grace'
import { createLog } from './log.ts'
import { startServer } from './server.ts'

/** By convention: the configuration is wrong, and starting again cannot help. */
const EXIT_CONFIGURATION = 78
const CLOSE_MS = 9_000

const configuration = configure()
if (configuration) await run(configuration)

async function run(configuration: Configuration): Promise<void> {
  const log = createLog(configuration.logLevel)
  for (const warning of configuration.warnings) log.warn({ warning }, 'configuration looks wrong')
  try {
    const server = await startServer({ configuration, log, tellFirstKey })
    log.info({ host: configuration.host, port: server.port }, 'listening')
    closeWithGrace(
      { delay: CLOSE_MS, logger: false, onTimeout: () => log.error({}, 'closing took too long') },
      async (why) => {
        if (why.err) log.fatal({ err: why.err }, 'unexpected error, closing')
        else log.info({ signal: why.signal }, 'closing')
        await server.close()
      },
    )
  } catch (error) {
    log.fatal({ err: error }, 'cannot start')
    if (error instanceof AppError) say(error)
    // an open connection would keep a process alive that does nothing
    process.exit(hasCode(error, 'INVALID_CONFIGURATION') ? EXIT_CONFIGURATION : 1)
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

/** As plain text and never through the log, which others collect and keep. */
function tellFirstKey(key: string): void {
  process.stdout.write(
    [
      '',
      'First admin key of this installation. It is shown this once: keep it safe.',
      '',
      `  ${key}`,
      '',
      '',
    ].join('\n'),
  )
}
