import type { Connection } from 'mysql2/promise'
import { createConnection } from 'mysql2/promise'
import type { SampleUse, UseOptions } from '../applications.ts'
import { PATIENCE_MS, useTogether } from '../applications.ts'
import { seededRandom } from '../damage.ts'
import { mysqlSchemaOf } from './client.ts'

const ACCOUNTS = 100
const SUM = 100_000

/** Ends of a connection, and refusals of what may pass, such as a table that is away for a moment. */
const PASSING = [
  'ER_BAD_DB_ERROR',
  'ER_SERVER_SHUTDOWN',
  'ER_NO_SUCH_TABLE',
  'ER_VIEW_INVALID',
  'ER_SP_DOES_NOT_EXIST',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_LOCK_DEADLOCK',
  'ER_CON_COUNT_ERROR',
  'ER_QUERY_INTERRUPTED',
  'ER_TABLE_DEF_CHANGED',
  'ER_CONNECTION_KILLED',
  'ER_CHECKREAD',
  'PROTOCOL_CONNECTION_LOST',
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
]

/** Lets applications read and write a sample schema, each with a connection that it makes anew when it is ended. */
export async function useMysqlSample(url: string, options: UseOptions = {}): Promise<SampleUse> {
  const { writers = 2 } = options
  const acts = [
    ...Array.from({ length: writers }, (_, index) => transferWith(seededRandom(index + 1))),
    addUp,
  ]
  const leave = async (client: Connection) => client.destroy()
  return await useTogether({ connect: () => connect(url), leave, isPassing }, acts, options)
}

type Act = (client: Connection) => Promise<void>

async function connect(url: string): Promise<Connection> {
  const { hostname, port, username, password } = new URL(url)
  const client = await createConnection({
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: mysqlSchemaOf(url),
    connectTimeout: PATIENCE_MS,
  })
  // the next statement tells
  client.on('error', () => {})
  await client.query(
    `SET max_statement_time = ${PATIENCE_MS / 1000}, lock_wait_timeout = ${PATIENCE_MS / 1000}`,
  )
  return client
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return PASSING.includes(code) || /closed state|connection is closed|was killed/i.test(error.message)
}

/** Several statements that only together keep the invariants. */
function transferWith(random: () => number): Act {
  const pick = (most: number) => 1 + Math.floor(random() * most)
  return async (client) => {
    const [sender, receiver, amount] = [pick(ACCOUNTS), pick(ACCOUNTS), pick(20)]
    await client.query('START TRANSACTION')
    // always in the same order, so that two of them do not wait for each other
    await client.query('UPDATE ledger SET transfers = transfers + 1')
    await client.query('UPDATE accounts SET balance = balance - ? WHERE id = ?', [amount, sender])
    await client.query('INSERT INTO transfers (sender, receiver, amount, note) VALUES (?, ?, ?, ?)', [
      ...[sender, receiver, amount],
      'n'.repeat(pick(400)),
    ])
    await client.query('UPDATE accounts SET balance = balance + ?, received = received + ? WHERE id = ?', [
      ...[amount, amount],
      receiver,
    ])
    await client.query('COMMIT')
  }
}

async function addUp(client: Connection): Promise<void> {
  const [rows] = await client.query({ sql: 'SELECT SUM(balance) FROM accounts', rowsAsArray: true })
  const sum: unknown = Array.isArray(rows) ? rows.flat()[0] : null
  if (Number(sum) !== SUM) throw new Error(`a reader saw balances that add up to ${sum}`)
}
