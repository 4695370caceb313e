// One worker of many. The name of a target or of its database says at which moment of which work on it a worker dies,
// e.g. `restore-swap-confirmed.5ms` or `backup-seen-copying`: once for each, remembered by a file of that name in the
// directory that HOLDFAST_TEST_GRAVES names.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import pg from 'pg'
import type { Fate, Work } from './mortal-parts.ts'
import { mortalParts } from './mortal-parts.ts'

/** What the server is seen to do for an operation. */
const SEEN = {
  'seen-copying': /^COPY .* TO stdout/i,
  'seen-creating': /^CREATE DATABASE/,
  'seen-loading': /^COPY .* FROM stdin/i,
  'seen-indexing': /^CREATE INDEX/,
  'seen-analyzing': /^ANALYZE/,
} as const

const { HOLDFAST_TEST_GRAVES: graves = '' } = process.env
const LOOK_EVERY_MS = 5

const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
const fate: Fate = { reach, begin }
await compose(loadConfiguration(process.env, process.cwd()), quiet, (deps) => mortalParts(deps, fate))

function reach(moment: string, { kind, on }: Work): void {
  const place = nameOf(on)
  const [, delayMs] = /\.(\d+)ms$/.exec(place) ?? []
  const named = delayMs === undefined ? `${kind}-${moment}` : `${kind}-${moment}.${delayMs}ms`
  if (named !== place || existsSync(join(graves, place))) return
  writeFileSync(join(graves, place), '')
  if (delayMs === undefined) process.kill(process.pid, 'SIGKILL')
  else setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(delayMs))
}

function begin(work: Work, operationId: string): () => void {
  const moment = Object.entries(SEEN).find(([name]) => nameOf(work.on) === `${work.kind}-${name}`)
  if (moment === undefined) return () => {}
  const [name, query] = moment
  let isOver = false
  void watch(work.on, `holdfast-${operationId}`, query, () => isOver).then((isSeen) => {
    if (isSeen) reach(name, work)
  })
  return () => {
    isOver = true
  }
}

/** Resolves with whether a session of that name was seen to do it before all is over. */
async function watch(url: string, tag: string, query: RegExp, isOver: () => boolean): Promise<boolean> {
  const client = new pg.Client({ connectionString: new URL('/postgres', url).href })
  client.on('error', () => {})
  await client.connect()
  try {
    while (!isOver()) {
      const { rows } = await client.query<{ query: string }>(
        `SELECT query FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'`,
        [tag],
      )
      if (rows.some((row) => query.test(row.query))) return true
      await sleep(LOOK_EVERY_MS)
    }
    return false
  } finally {
    await client.end()
  }
}

/** The name of a target, or of the database of a URL. */
function nameOf(on: string): string {
  return on.includes('://') ? decodeURIComponent(new URL(on).pathname.slice(1)) : on
}
