// A process that stages a dump until it is killed: run by tests, never imported.
import { createReadStream } from 'node:fs'
import type { StageRequest } from '@holdfast/core'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { Toolbox } from '../client-tools.ts'
import { parseMysqlUrl } from '../mysql-url.ts'
import { stage } from '../restore/stage.ts'

/** What it is told to do. */
export interface StageTask {
  readonly url: string
  readonly file: string
  readonly request: Omit<StageRequest, 'onProgress'>
}

process.once('disconnect', () => process.exit(0))
process.once('message', (task: StageTask) => void run(task))

async function run({ url, file, request }: StageTask): Promise<void> {
  const context = { pathRoots: [], scratchDir: request.scratchDir, now: () => Date.now() }
  const toolbox = new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' })
  const parts = { connection: parseMysqlUrl(url), context, toolbox, patience: DEFAULT_PATIENCE }
  const never = new AbortController().signal
  await stage(parts, { ...request, onProgress: () => {} }, createReadStream(file), never)
}
