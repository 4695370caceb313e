import type { FastifyReply } from 'fastify'

/** Aborted when the client went away before the answer was complete. */
export function whenClientGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  // the request's own 'close' comes as soon as its body was read, so that only the response tells
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new Error('the client went away'))
  })
  return controller.signal
}
