import { setTimeout as sleep } from 'node:timers/promises'
import { StartFailure } from '../lib/start-service.ts'

/** Often enough to show the phases of a backup that takes a tenth of a second. */
const POLL_MS = 30

/** How to reach the service, and where to show progress. */
export interface ApiOptions {
  readonly url: string
  readonly key: string
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

// the answers are shown, not computed with
// biome-ignore lint/suspicious/noExplicitAny: a schema for each answer would repeat the API's
type Json = any

/** The few calls that the demonstration makes: plain HTTP, as any user would make them. */
export interface DemonstrationApi {
  get(path: string): Promise<Json>
  /** Registers a target, or leaves it as it is if an earlier run did. */
  registerOnce(name: string, url: string): Promise<void>
  /** Asks for work and waits for its end, showing each phase. Rejects if it does not complete. */
  carryOut(path: string, body: object): Promise<Json>
}

/** Opens the API for the demonstration. */
export function openApi(options: ApiOptions): DemonstrationApi {
  const { url, key, signal, say } = options
  async function call(method: string, path: string, body?: object): Promise<{ status: number; body: Json }> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const init =
      body === undefined
        ? { headers: { authorization: headers.authorization } }
        : { headers, body: JSON.stringify(body) }
    const answer = await fetch(`${url}${path}`, { method, signal, ...init })
    return { status: answer.status, body: await answer.json() }
  }
  function expectStatus(answer: { status: number; body: Json }, expected: number): Json {
    if (answer.status === expected) return answer.body
    throw new StartFailure(`${answer.body.code}: ${answer.body.detail}`)
  }
  return {
    async get(path) {
      return expectStatus(await call('GET', path), 200)
    },

    async registerOnce(name, databaseUrl) {
      const answer = await call('POST', '/v1/targets', { name, url: databaseUrl })
      if (answer.body.code !== 'TARGET_EXISTS') expectStatus(answer, 201)
    },

    async carryOut(path, body) {
      const accepted = expectStatus(await call('POST', path, body), 202)
      let shown = ''
      for (;;) {
        const operation = expectStatus(await call('GET', `/v1/operations/${accepted.id}`), 200)
        if (operation.phase !== null && operation.phase !== shown) {
          shown = operation.phase
          say(`     ${shown} …`)
        }
        if (operation.state === 'completed') return operation
        if (operation.error !== null && operation.state !== 'running') {
          throw new StartFailure(`${operation.error.code}: ${operation.error.detail}`)
        }
        await sleep(POLL_MS)
      }
    },
  }
}
