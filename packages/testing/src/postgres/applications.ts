import pg from 'pg'
import type { SampleUse, UseOptions } from '../applications.ts'
import { PATIENCE_MS, useTogether } from '../applications.ts'
import { seededRandom } from '../damage.ts'
import { clientConfigOf } from './client.ts'

const ACCOUNTS = 100
const SUM = 100_000

/** Ends of a connection, and refusals of one that may pass: applications try again. */
const PASSING = [
  '57P01',
  '57P02',
  '57P03',
  '3D000',
  '55000',
  '53300',
  '40001',
  '40P01',
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
]

/** Lets applications read and write a sample database, each with a connection that it makes anew when it is ended. */
export async function usePostgresSample(url: string, options: UseOptions = {}): Promise<SampleUse> {
  const { writers = 2 } = options
  const acts = [
    ...Array.from({ length: writers }, (_, index) => transferWith(seededRandom(index + 1))),
    addUp,
  ]
  const leave = (client: pg.Client) => client.end().catch(() => {})
  return await useTogether({ connect: () => connect(url), leave, isPassing }, acts, options)
}

type Act = (client: pg.Client) => Promise<void>

async function connect(url: string): Promise<pg.Client> {
  const where = { ...clientConfigOf(url), application_name: 'shop' }
  const client = new pg.Client({
    ...where,
    statement_timeout: PATIENCE_MS,
    connectionTimeoutMillis: PATIENCE_MS,
  })
  // the next statement tells
  client.on('error', () => {})
  await client.connect()
  return client
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return PASSING.includes(code) || /connection terminated|not queryable|connection error/i.test(error.message)
}

/** Several statements that only together keep the invariants. */
function transferWith(random: () => number): Act {
  const pick = (most: number) => 1 + Math.floor(random() * most)
  return async (client) => {
    const [sender, receiver, amount] = [pick(ACCOUNTS), pick(ACCOUNTS), pick(20)]
    await client.query('BEGIN')
    // always in the same order, so that two of them do not wait for each other
    await client.query('UPDATE shop.ledger SET transfers = transfers + 1')
    await client.query('UPDATE shop.accounts SET balance = balance - $1 WHERE id = $2', [amount, sender])
    await client.query(
      'INSERT INTO shop.transfers (sender, receiver, amount, note) VALUES ($1, $2, $3, $4)',
      [sender, receiver, amount, 'n'.repeat(pick(400))],
    )
    await client.query(
      'UPDATE shop.accounts SET balance = balance + $1, received = received + $1 WHERE id = $2',
      [amount, receiver],
    )
    await client.query('COMMIT')
  }
}

async function addUp(client: pg.Client): Promise<void> {
  const { rows } = await client.query('SELECT sum(balance)::int AS sum FROM shop.accounts')
  const { sum } = rows[0] ?? {}
  if (sum !== SUM) throw new Error(`a reader saw balances that add up to ${sum}`)
}
