import { Readable } from 'node:stream'
import { AppError } from '@holdfast/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { whenClientGone } from '../http/client-gone.ts'
import { toOperationView } from '../routes/operations/schemas.ts'
import type { Observation } from './watch-operation.ts'

/** How long a stream may be silent: shorter than the time-outs of proxies in between. */
export const HEARTBEAT_MS = 15_000
/** Streams that one process serves at a time. */
const MOST_STREAMS = 256

/** Sends server-sent events, and ends with the process, the client, or the key that opened them. */
export interface EventStreams {
  send(
    request: FastifyRequest,
    reply: FastifyReply,
    observe: (ended: AbortSignal) => AsyncGenerator<Observation | null>,
  ): FastifyReply
}

/** `isAllowed` is asked at each heartbeat, so that a revoked key does not keep what it opened. */
export function eventStreams(deps: {
  readonly closing: AbortSignal
  readonly isAllowed: (request: FastifyRequest) => Promise<boolean>
}): EventStreams {
  let open = 0
  return {
    send(request, reply, observe) {
      if (open >= MOST_STREAMS) {
        throw new AppError('RATE_LIMITED', `more than ${MOST_STREAMS} event streams at a time`)
      }
      const ended = AbortSignal.any([deps.closing, whenClientGone(reply)])
      open += 1
      const text = format(observe(ended), async () => !ended.aborted && (await deps.isAllowed(request)))
      const stream = Readable.from(text).once('close', () => {
        open -= 1
      })
      return reply
        .type('text/event-stream')
        .header('cache-control', 'no-store')
        .header('x-accel-buffering', 'no')
        .send(stream)
    },
  }
}

async function* format(
  observations: AsyncGenerator<Observation | null>,
  mayGoOn: () => Promise<boolean>,
): AsyncGenerator<string> {
  // sent at once, so that the client knows that it is connected, and how soon to come again
  yield 'retry: 2000\n\n'
  for await (const observation of observations) {
    if (observation) yield eventOf(observation)
    else if (await mayGoOn()) yield ': heartbeat\n\n'
    else return
  }
}

function eventOf({ eventId, operation }: Observation): string {
  return `event: operation\nid: ${eventId}\ndata: ${JSON.stringify(toOperationView(operation))}\n\n`
}
