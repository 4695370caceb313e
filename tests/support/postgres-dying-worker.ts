// A worker that dies at the moment that the name of a target or of its database says; see `named-death.ts`.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Sight } from './named-death.ts'
import { workUntilDeath } from './named-death.ts'

/** What the server is seen to do for an operation. */
const SEEN: Readonly<Record<string, RegExp>> = {
  'seen-copying': /^COPY .* TO stdout/i,
  'seen-creating': /^CREATE DATABASE/,
  'seen-loading': /^COPY .* FROM stdin/i,
  'seen-indexing': /^CREATE INDEX/,
  'seen-analyzing': /^ANALYZE/,
}

const LOOK_EVERY_MS = 5

await workUntilDeath({ names: Object.keys(SEEN), watch })

async function watch(name: string, { url, operationId, isOver }: Sight): Promise<boolean> {
  const client = new pg.Client({ connectionString: new URL('/postgres', url).href })
  client.on('error', () => {})
  await client.connect()
  try {
    while (!isOver()) {
      const { rows } = await client.query<{ query: string }>(
        `SELECT query FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'`,
        [`holdfast-${operationId}`],
      )
      if (rows.some((row) => SEEN[name]?.test(row.query))) return true
      await sleep(LOOK_EVERY_MS)
    }
    return false
  } finally {
    await client.end()
  }
}
