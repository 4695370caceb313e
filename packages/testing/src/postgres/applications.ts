import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { seededRandom } from '../damage.ts'
import type { DatabaseUse } from '../driver/subject.ts'
import { clientConfigOf } from './client.ts'

/** How applications use a sample database. */
export interface PostgresUseOptions {
  /** As many that move money between accounts; one more adds up all balances. */
  readonly writers?: number
  /** Transactions a second of each; 0 for as many as it can. */
  readonly perSecond?: number
}

/** A running use, and what it has done. */
export interface PostgresUse extends DatabaseUse {
  /** Transactions that were committed. */
  committed(): number
  /** How often a connection was ended, or refused. */
  interrupted(): number
}

/** An application that cannot get back in for so long complains. */
const PATIENCE_MS = 20_000
const RECONNECT_MS = 20
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
export async function usePostgresSample(url: string, options: PostgresUseOptions = {}): Promise<PostgresUse> {
  const { writers = 2, perSecond = 50 } = options
  const acts = [
    ...Array.from({ length: writers }, (_, index) => transferWith(seededRandom(index + 1))),
    addUp,
  ]
  const applications = acts.map((act) => new Application(url, act, perSecond))
  const running = applications.map((application) => application.run())
  await Promise.all(applications.map((application) => application.started))
  return {
    committed: () => applications.reduce((sum, { committed }) => sum + committed, 0),
    interrupted: () => applications.reduce((sum, { interrupted }) => sum + interrupted, 0),
    async stop() {
      for (const application of applications) application.isStopping = true
      await Promise.all(running)
      return applications.flatMap(({ complaints }) => complaints)
    },
  }
}

type Act = (client: pg.Client) => Promise<void>

class Application {
  readonly complaints: string[] = []
  readonly started: Promise<void>
  isStopping = false
  committed = 0
  interrupted = 0
  readonly #url: string
  readonly #act: Act
  readonly #intervalMs: number
  readonly #onStarted: () => void
  #client: pg.Client | null = null
  #lastMs = performance.now()

  constructor(url: string, act: Act, perSecond: number) {
    this.#url = url
    this.#act = act
    this.#intervalMs = perSecond === 0 ? 0 : 1000 / perSecond
    const { promise, resolve } = Promise.withResolvers<void>()
    this.started = promise
    this.#onStarted = resolve
  }

  /** Works until it is stopped, or has waited in vain for too long. Never rejects. */
  async run(): Promise<void> {
    while (!this.isStopping) {
      const startedMs = performance.now()
      await this.#once()
      await delay(Math.max(0, startedMs + this.#intervalMs - performance.now()))
    }
    this.#onStarted()
    await this.#client?.end().catch(() => {})
  }

  async #once(): Promise<void> {
    try {
      this.#client ??= await this.#connect()
      await this.#act(this.#client)
      this.committed += 1
      this.#lastMs = performance.now()
      this.#onStarted()
    } catch (error) {
      await this.#leave()
      this.interrupted += 1
      if (!isPassing(error)) return this.#complain(String(error))
      if (performance.now() - this.#lastMs > PATIENCE_MS)
        return this.#complain(`shut out for too long: ${error}`)
      await delay(RECONNECT_MS)
    }
  }

  #complain(complaint: string): void {
    this.complaints.push(complaint)
    this.isStopping = true
  }

  async #connect(): Promise<pg.Client> {
    const where = { ...clientConfigOf(this.#url), application_name: 'shop' }
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

  async #leave(): Promise<void> {
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => {})
  }
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
