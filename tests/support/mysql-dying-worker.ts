// A worker that dies at the moment that the name of a target or of its database says; see `named-death.ts`. Besides
// what every engine has, these are moments of MySQL's own: `locked` under a brief lock, `comparing` rows, and of an exchange `step-5` when
// the first change of that step of its journal was sent, `back-5` when it was sent on the way back, `step-done`
// and `step-ended` when the end was noted, and that answered.
import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { mysqlSchemaOf, withMysqlClient } from '@holdfast/testing'
import type { Work } from './mortal-parts.ts'
import type { Sight } from './named-death.ts'
import { dieAt, workUntilDeath } from './named-death.ts'

/** What the server is seen to do in a schema for an operation. */
const SEEN: Readonly<Record<string, { readonly schema: RegExp; readonly statement: RegExp }>> = {
  'seen-dumping': { schema: /^backup-/, statement: /^SELECT \/\*!40001 SQL_NO_CACHE/ },
  'seen-loading': { schema: /^holdfast_(new|drill)_/, statement: /^INSERT INTO/ },
}
const LOOK_EVERY_MS = 5
const MARK = /^ALTER TABLE `holdfast_\w+`.`holdfast~journal` COMMENT = '(forward|backward|done)(?: (\d+))?'/
const CHANGE = /^(?:CREATE|DROP|ALTER|RENAME|GRANT)\b/

/** What is being done at the moment: there is one job at a time. */
let current: Work | null = null
let step: string | null = null

subscribe('tracing:mysql2:query:end', (message) => sent(statementIn(message)))
subscribe('tracing:mysql2:query:asyncStart', (message) => answered(statementIn(message)))
await workUntilDeath({
  names: Object.keys(SEEN),
  watch,
  passed(_moment, work) {
    current = work
  },
})

function sent(statement: string): void {
  if (/\bCRC32\(/.test(statement)) reach('comparing')
  const [, direction, number] = MARK.exec(statement) ?? []
  if (direction === 'done') reach('step-done')
  if (number !== undefined) step = `${direction === 'forward' ? 'step' : 'back'}-${number}`
  else if (step !== null && CHANGE.test(statement)) {
    reach(step)
    step = null
  }
}

function answered(statement: string): void {
  if (statement === 'BACKUP STAGE BLOCK_COMMIT') reach('locked')
  if (MARK.exec(statement)?.[1] === 'done') reach('step-ended')
}

function reach(moment: string): void {
  if (current !== null) dieAt(moment, current)
}

function statementIn(message: unknown): string {
  const isOne = typeof message === 'object' && message !== null && 'query' in message
  return isOne && typeof message.query === 'string' ? message.query.trimStart() : ''
}

async function watch(name: string, { url, operationId, isOver }: Sight): Promise<boolean> {
  const wanted = SEEN[name]
  const own = [mysqlSchemaOf(url), ...['new', 'drill'].map((kind) => ownName(kind, operationId))]
  const isSeen = (schema: string, statement: string) =>
    wanted?.schema.test(schema) && wanted.statement.test(statement)
  return withMysqlClient(url.replace(/\/[^/]*$/, '/'), async (client) => {
    while (!isOver()) {
      const rows = await client.query(
        'SELECT DB AS db, LEFT(INFO, 20000) AS info FROM information_schema.PROCESSLIST WHERE DB IN (?) AND INFO IS NOT NULL',
        [own],
      )
      if (rows.some(({ db, info }) => isSeen(String(db), String(info)))) return true
      await sleep(LOOK_EVERY_MS)
    }
    return false
  })
}

function ownName(kind: string, operationId: string): string {
  return `holdfast_${kind}_${operationId.replaceAll('-', '')}`
}
