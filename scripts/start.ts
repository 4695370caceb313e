// npm start: everything on this machine, in the foreground: Redis if none is configured, the API and one worker.
import { AppError, hasCode } from '@holdfast/core'
import type { Service } from './lib/start-service.ts'
import { StartFailure, startService } from './lib/start-service.ts'
import { EXIT_CONFIGURATION } from './lib/supervise.ts'

const stopRequest = new AbortController()
// a second signal changes nothing: stopping is bounded, and half-stopped would be worse
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stopRequest.abort(signal))
}

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const service = await startService({ env: process.env, signal: stopRequest.signal, say })
    say(`ready on ${service.apiUrl} (documentation: /docs, queues: /queues); Ctrl-C stops it`)
    return await untilStopped(service)
  } catch (error) {
    if (stopRequest.signal.aborted) return 0
    return explain(error)
  }
}

async function untilStopped(service: Service): Promise<number> {
  const asked = new Promise<null>((resolve) => {
    stopRequest.signal.addEventListener('abort', () => resolve(null))
    if (stopRequest.signal.aborted) resolve(null)
  })
  const why = await Promise.race([service.failed, asked])
  if (why !== null) say(`stopping, because ${why}`)
  await service.stop()
  return why === null ? 0 : 1
}

function explain(error: unknown): number {
  if (error instanceof AppError) {
    say(error.hint === null ? error.message : `${error.message}\n  ${error.hint}`)
    return hasCode(error, 'INVALID_CONFIGURATION') ? EXIT_CONFIGURATION : 1
  }
  if (!(error instanceof StartFailure)) throw error
  say(error.message)
  return 1
}

function say(line: string): void {
  process.stderr.write(`holdfast: ${line}\n`)
}
