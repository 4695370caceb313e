import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import type { Fate, Work } from './mortal-parts.ts'
import { mortalParts } from './mortal-parts.ts'

/** What can only be learned from a server, or from what is sent to it. */
export interface Sights {
  /** Moments at which the server is seen to do something for an operation. */
  readonly names: readonly string[]
  /** Resolves with whether it was seen at that before all is over. */
  watch(name: string, sight: Sight): Promise<boolean>
  /** Hears of every moment that a worker passes. */
  passed?(moment: string, work: Work): void
}

/** Of which operation something is to be seen, and where. */
export interface Sight {
  readonly url: string
  readonly operationId: string
  readonly isOver: () => boolean
}

const { HOLDFAST_TEST_GRAVES: graves = '', HOLDFAST_TEST_SERVER_PID_FILE: serverPidFile = '' } = process.env
/** How long after the moment, and whether it is the server that stops or both of them. */
const SUFFIX = /(?:\.(\d+)ms)?(?:\.(server|both))?$/

/**
 * Works as one worker of many. The name of a target or of its database says at which moment of which work on it a
 * worker dies, e.g. `restore-swap-confirmed.5ms` or `backup-seen-copying`: once for each, remembered by a file of that
 * name in the directory that HOLDFAST_TEST_GRAVES names. At `restore-step-5.server` it lives on, and the server whose
 * process HOLDFAST_TEST_SERVER_PID_FILE holds stands still; at `restore-step-5.both` both are hit.
 */
export async function workUntilDeath(sights: Sights): Promise<void> {
  const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
  const fate: Fate = {
    reach(moment, work) {
      sights.passed?.(moment, work)
      dieAt(moment, work)
    },
    begin: (work, operationId) => beginWatching(sights, work, operationId),
  }
  await compose(loadConfiguration(process.env, process.cwd()), quiet, (deps) => mortalParts(deps, fate))
}

/** Dies, now or a while later, if that is what the name of the target or database says. */
export function dieAt(moment: string, { kind, on }: Work): void {
  const place = nameOf(on)
  const [suffix, delayMs, who] = SUFFIX.exec(place) ?? ['']
  if (`${kind}-${moment}${suffix}` !== place || existsSync(join(graves, place))) return
  const die = () => {
    // whoever waits for this ends it where it stands
    if (who !== undefined) process.kill(Number(readFileSync(serverPidFile, 'utf8')), 'SIGSTOP')
    writeFileSync(join(graves, place), '')
    if (who !== 'server') process.kill(process.pid, 'SIGKILL')
  }
  if (delayMs === undefined) die()
  else setTimeout(die, Number(delayMs))
}

function beginWatching(sights: Sights, work: Work, operationId: string): () => void {
  const name = sights.names.find((each) => nameOf(work.on) === `${work.kind}-${each}`)
  if (name === undefined) return () => {}
  let isOver = false
  void sights.watch(name, { url: work.on, operationId, isOver: () => isOver }).then((isSeen) => {
    if (isSeen) dieAt(name, work)
  })
  return () => {
    isOver = true
  }
}

/** The name of a target, or of the database of a URL. */
function nameOf(on: string): string {
  return on.includes('://') ? decodeURIComponent(new URL(on).pathname.slice(1)) : on
}
