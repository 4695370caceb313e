import type { WatchedServer } from '../client-server/watch-server.ts'
import { whileAnswering } from '../client-server/watch-server.ts'
import { errnoOf } from './failure.ts'
import type { MysqlParts } from './mysql-parts.ts'
import { openSession } from './session.ts'

/** Work that waits for a MySQL server through others; see {@link whileAnswering}. */
export function whileServerAnswers<Result>(
  parts: Pick<MysqlParts, 'connection' | 'patience'>,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  return whileAnswering(watched(parts), signal, work)
}

function watched({ connection, patience }: Pick<MysqlParts, 'connection' | 'patience'>): WatchedServer {
  const { askEveryMs, silentForMs } = patience
  return {
    ...{ product: 'MySQL', askEveryMs, silentForMs },
    async open(withinMs, signal) {
      const patient = { ...connection, connectTimeoutMs: Math.ceil(withinMs) }
      const session = await openSession(patient, { schema: null, signal })
      return {
        ask: (answerWithinMs) => session.query('DO 0', [], { withinMs: answerWithinMs }),
        close: () => session.close(),
      }
    },
    isAnswer: (error) => errnoOf(error) !== null,
  }
}
