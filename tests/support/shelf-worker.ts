// The worker as it is, with an engine that has servers. It kills itself, the hard way, at the moment of a group that
// HOLDFAST_TEST_DIE_AT names.
import type { Catalog, HeldLock, NewOperation, WorkDeps } from '@holdfast/core'
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import { createLog } from '../../apps/worker/src/log.ts'
import { shelfRegistry } from './shelf-engine.ts'

export const MOMENTS_OF_A_GROUP = [
  'before-journal',
  'after-journal',
  'before-member',
  'after-member',
  'after-second-member',
  'before-pause',
  'after-pause',
  'before-group-end',
  'after-group-end',
] as const
type Moment = (typeof MOMENTS_OF_A_GROUP)[number]

const { HOLDFAST_TEST_DIE_AT: moment, HOLDFAST_TEST_DUMP_MS, HOLDFAST_TEST_SHELF_LOG } = process.env
let members = 0

// read for the list above alone
if (HOLDFAST_TEST_DUMP_MS !== undefined) await work(Number(HOLDFAST_TEST_DUMP_MS))

async function work(dumpMs: number): Promise<void> {
  const configuration = loadConfiguration(process.env, process.cwd())
  const drivers = shelfRegistry({ dumpMs, logFile: HOLDFAST_TEST_SHELF_LOG ?? null })
  const alter = (deps: WorkDeps) => ({ ...deps, drivers, catalog: mortal(deps.catalog) })
  const worker = await compose(configuration, createLog(configuration.logLevel), alter)
  process.on('SIGTERM', () => void worker.close({ graceMs: 300 }).then(() => process.exit(0)))
}

function dieAt(reached: Moment): void {
  if (moment === reached) process.kill(process.pid, 'SIGKILL')
}

function mortal(catalog: Catalog): Catalog {
  const { operations } = catalog
  const isGroup = async (held: HeldLock) => (await operations.get(held.operationId)).backupId === null
  return {
    ...catalog,
    operations: {
      ...operations,
      async setJournal(held, journal) {
        dieAt('before-journal')
        await operations.setJournal(held, journal)
        dieAt('after-journal')
      },
      async accept(asked) {
        if (isMember(asked)) dieAt('before-member')
        const accepted = await operations.accept(asked)
        if (!isMember(asked)) return accepted
        members += 1
        dieAt(members === 1 ? 'after-member' : 'after-second-member')
        return accepted
      },
      async pause(held, where) {
        dieAt('before-pause')
        await operations.pause(held, where)
        dieAt('after-pause')
      },
      async end(held, end) {
        if (!(await isGroup(held))) return operations.end(held, end)
        dieAt('before-group-end')
        const next = await operations.end(held, end)
        dieAt('after-group-end')
        return next
      },
    },
  }
}

function isMember({ request }: NewOperation): boolean {
  return request.type === 'backup' && request.groupId !== null
}
