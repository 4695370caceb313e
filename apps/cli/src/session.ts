import type { HoldfastClient } from '@holdfast/client'
import { createHoldfastClient } from '@holdfast/client'
import { readApiKey } from './api-key.ts'
import { CliError } from './cli-error.ts'
import { EXIT } from './exit-codes.ts'
import type { Host } from './host.ts'

/** Options that every command understands. */
export interface CommonOptions {
  readonly json?: boolean
  readonly url?: string
  readonly keyFile?: string
  /** Name of an environment: only what belongs to it. */
  readonly env?: string
}

/** One command being carried out: its service, and where it writes. */
export interface Session {
  readonly host: Host
  readonly json: boolean
  readonly environment: string | undefined
  readonly client: HoldfastClient
  /** Whether somebody sits there who could answer. */
  readonly canAsk: boolean
  /** What the command is about: one JSON document, or for people the text. */
  show(document: unknown, text: () => string): void
  /** One line of a stream of JSON documents. */
  showLine(document: unknown): void
  /** Something beside the result, for people only. */
  note(text: string): void
}

const DEFAULT_URL = 'http://127.0.0.1:8420'

/** Reads the key and makes the client; nothing is sent yet. */
export function createSession(host: Host, options: CommonOptions): Session {
  const json = options.json ?? false
  const url = options.url ?? (host.env.HOLDFAST_URL || DEFAULT_URL)
  const showLine = (document: unknown) => void host.stdout.write(`${JSON.stringify(document)}\n`)
  let client: HoldfastClient | null = null
  return {
    host,
    json,
    environment: options.env,
    get client() {
      client ??= createHoldfastClient({ url, apiKey: readApiKey(host.env, options.keyFile), retries: 0 })
      return client
    },
    canAsk: !json && Boolean(host.stdin.isTTY) && Boolean(host.stderr.isTTY),
    show(document, text) {
      if (json) showLine(document)
      else host.stdout.write(`${text()}\n`)
    },
    showLine,
    note: (text) => {
      if (!json) host.stderr.write(`${text}\n`)
    },
  }
}

/** Keeps a command that names one thing from touching another environment. */
export function requireEnvironment(session: Session, what: string, environment: string | null): void {
  if (session.environment === undefined || session.environment === environment) return
  throw new CliError({
    code: 'OTHER_ENVIRONMENT',
    detail: `${what} belongs to ${environment === null ? 'no environment' : environment}, not to ${session.environment}`,
    hint: 'leave out --env, or name another one',
    exitCode: EXIT.notFound,
  })
}
