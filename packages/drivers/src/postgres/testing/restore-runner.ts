// A process that restores until it is killed: run by the tests of killed restores, never imported.
import { createReadStream } from 'node:fs'
import type { StageRequest } from '@holdfast/core'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import { parsePostgresUrl } from '../postgres-url.ts'
import { PostgresRestore } from '../restore/postgres-restore.ts'

/** What it is told to do. */
export interface RunnerTask {
  readonly url: string
  readonly scratchDir: string
  readonly file: string
  readonly request: Omit<StageRequest, 'onProgress'>
}

process.once('disconnect', () => process.exit(0))
process.once('message', (task: RunnerTask) => void run(task))

async function run({ url, scratchDir, file, request }: RunnerTask): Promise<void> {
  const restore = new PostgresRestore({
    connection: parsePostgresUrl(url),
    context: { pathRoots: [], scratchDir, now: () => Date.now() },
    patience: DEFAULT_PATIENCE,
    toolbox: new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' }),
  })
  const never = new AbortController().signal
  const ticket = await restore.stage({ ...request, onProgress: () => {} }, createReadStream(file), never)
  process.send?.(ticket)
  await restore.swap(ticket, async () => {}, never)
  process.send?.('done')
}
