import { startPostgres } from '../servers/postgres.ts'
import { catalogEntries } from './catalog-entries.ts'
import { contentEntries } from './content-entries.ts'
import { databaseEntries } from './database-entries.ts'
import { openClient, sessionOf } from './client.ts'
import { postgresFingerprintOf } from './fingerprint.ts'
import { seedPostgresSample } from './sample.ts'
const server = await startPostgres()
try {
  const url = await server.createDatabase('everything')
  await seedPostgresSample(url, { mark: 1, megabytes: 0 })
  for (let i = 0; i < 4; i++) { const t = performance.now(); await postgresFingerprintOf(url); console.log('whole', performance.now() - t) }
  for (let i = 0; i < 3; i++) {
    const t9 = performance.now()
    const client = await openClient(url)
    const s = sessionOf(client)
    const open = performance.now() - t9
    const times: [number, string, number][] = []
    const timed = { async rows(q: string, v?: readonly unknown[]) { const t = performance.now(); const r = await s.rows(q, v); times.push([Math.round((performance.now() - t)*10)/10, (q.match(/FROM pg_catalog\.(\w+) c/)?.[1] ?? '') + ' ' + q.slice(0,30).replace(/\s+/g,' '), r.length]); return r } }
    const t0 = performance.now(); await databaseEntries(timed); const t1 = performance.now(); await catalogEntries(timed); const t2 = performance.now(); await contentEntries(timed)
    console.log({ open, db: t1 - t0, cat: t2 - t1, content: performance.now() - t2 }, times.length)
    if (i === 2) console.log(times.toSorted((a, b) => b[0] - a[0]).slice(0, 24).map((x) => x.join(' ')).join('\n'))
    await client.end()
  }
} finally { await server.stop() }
