// A process that drills a dump until it is killed: run by tests, never imported.
import type { CheckRequest } from '@holdfast/core'
import { DEFAULT_PATIENCE } from '../../client-server/patience.ts'
import { checkDump } from '../check/check-dump.ts'
import { Toolbox } from '../client-tools.ts'

/** What it is told to do. */
export interface DrillTask {
  readonly scratchDir: string
  readonly request: Omit<CheckRequest, 'onProgress'>
}

process.once('disconnect', () => process.exit(0))
process.once('message', (task: DrillTask) => void run(task))

async function run({ scratchDir, request }: DrillTask): Promise<void> {
  const context = { pathRoots: [], scratchDir, now: () => Date.now() }
  const toolbox = new Toolbox({ configuredDirectory: null, path: process.env.PATH ?? '' })
  const parts = { context, toolbox, patience: DEFAULT_PATIENCE }
  await checkDump(parts, { ...request, onProgress: () => {} }, new AbortController().signal)
}
