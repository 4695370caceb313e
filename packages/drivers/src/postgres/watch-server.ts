import type { WatchedServer } from '../client-server/watch-server.ts'
import { whileAnswering } from '../client-server/watch-server.ts'
import { sqlStateOf } from './failure.ts'
import type { PostgresParts } from './postgres-parts.ts'
import { openSession } from './session.ts'

/** Which server is watched, and under which tag. */
export interface WatchedPlace {
  readonly database: string
  readonly applicationName: string
}

/** Work that waits for a PostgreSQL server through others; see {@link whileAnswering}. */
export function whileServerAnswers<Result>(
  parts: Pick<PostgresParts, 'connection' | 'patience'>,
  place: WatchedPlace,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return whileAnswering(watched(parts, place), signal, work)
}

function watched(
  { connection, patience }: Pick<PostgresParts, 'connection' | 'patience'>,
  place: WatchedPlace,
): WatchedServer {
  const { askEveryMs, silentForMs } = patience
  return {
    ...{ product: 'PostgreSQL', askEveryMs, silentForMs },
    async open(withinMs, signal) {
      const patient = { ...connection, connectTimeoutMs: Math.ceil(withinMs) }
      const session = await openSession(patient, { ...place, signal })
      return {
        ask: (answerWithinMs) => session.query('SELECT', [], { withinMs: answerWithinMs }),
        close: () => session.close(),
      }
    },
    isAnswer: (error) => sqlStateOf(error) !== null,
  }
}
