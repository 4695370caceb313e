import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseUse } from './driver/subject.ts'

/** How applications use a sample database. */
export interface UseOptions {
  /** As many that move money between accounts; one more adds up all balances. */
  readonly writers?: number
  /** Transactions a second of each; 0 for as many as it can. */
  readonly perSecond?: number
}

/** A running use, and what it has done. */
export interface SampleUse extends DatabaseUse {
  /** Transactions that were committed. */
  committed(): number
  /** How often a connection was ended, or refused. */
  interrupted(): number
}

/** How applications of an engine reach their database. */
export interface Access<Client> {
  connect(): Promise<Client>
  /** Never rejects. */
  leave(client: Client): Promise<void>
  /** Whether a failure is the end of a connection, or a refusal that may pass: applications try again. */
  isPassing(error: unknown): boolean
}

/** An application that cannot get back in for so long complains. */
export const PATIENCE_MS = 20_000
const RECONNECT_MS = 20

/** Runs one application for each act, each with a connection that it makes anew when it is ended. */
export async function useTogether<Client>(
  access: Access<Client>,
  acts: readonly ((client: Client) => Promise<void>)[],
  { perSecond = 50 }: UseOptions,
): Promise<SampleUse> {
  const applications = acts.map((act) => new Application(access, act, perSecond))
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

class Application<Client> {
  readonly complaints: string[] = []
  readonly started: Promise<void>
  isStopping = false
  committed = 0
  interrupted = 0
  readonly #access: Access<Client>
  readonly #act: (client: Client) => Promise<void>
  readonly #intervalMs: number
  readonly #onStarted: () => void
  #client: Client | null = null
  #lastMs = performance.now()

  constructor(access: Access<Client>, act: (client: Client) => Promise<void>, perSecond: number) {
    this.#access = access
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
    await this.#leave()
  }

  async #once(): Promise<void> {
    try {
      this.#client ??= await this.#access.connect()
      await this.#act(this.#client)
      this.committed += 1
      this.#lastMs = performance.now()
      this.#onStarted()
    } catch (error) {
      await this.#leave()
      this.interrupted += 1
      if (!this.#access.isPassing(error)) return this.#complain(String(error))
      if (performance.now() - this.#lastMs > PATIENCE_MS)
        return this.#complain(`shut out for too long: ${error}`)
      await delay(RECONNECT_MS)
    }
  }

  #complain(complaint: string): void {
    this.complaints.push(complaint)
    this.isStopping = true
  }

  async #leave(): Promise<void> {
    const client = this.#client
    this.#client = null
    if (client !== null) await this.#access.leave(client)
  }
}
