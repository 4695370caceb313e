import { createBullBoard } from '@bull-board/api'
import { FastifyAdapter } from '@bull-board/fastify'
import type { JobQueue } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Queue } from 'bullmq'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { stateAccess } from '../http/route-access.ts'
import { RedactedQueue } from './redacted-queue.ts'

const PREFIX = '/queues'

/** The interface sets styles in its elements. Web fonts, which it also asks for, are not fetched. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const WEB_FONTS = /<link[^>]*fonts\.googleapis\.com[^>]*>/g

export interface QueueBoardDeps {
  readonly queue: Pick<JobQueue, 'ping'> & { readonly queues: readonly Queue[] }
}

/** Bull Board at /queues: to look at only, behind the same keys as everything else. */
export async function serveQueueBoard(app: FastifyInstance, deps: QueueBoardDeps): Promise<void> {
  const board = new FastifyAdapter().setBasePath(PREFIX)
  createBullBoard({
    queues: deps.queue.queues.map((queue) => new RedactedQueue(queue)),
    serverAdapter: board,
    options: { uiConfig: { boardTitle: 'Holdfast' } },
  })
  // its own answers would carry the text of whatever was thrown: ours is the parent's handler
  board.setErrorHandler((error) => {
    throw error
  })
  const page: FastifyPluginAsync = async (scope) => {
    stateAccess(scope, 'viewer', 'queues.change')
    scope.addHook('preHandler', async (request) => {
      if (!request.url.startsWith(`${PREFIX}/api`)) return
      if (request.method !== 'GET') throw new AppError('FORBIDDEN', 'the queues can only be looked at here')
      await deps.queue.ping()
    })
    scope.addHook('onSend', async (_request, reply, payload) => {
      reply.header('content-security-policy', PAGE_POLICY)
      return typeof payload === 'string' ? payload.replace(WEB_FONTS, '') : payload
    })
    await scope.register(board.registerPlugin())
  }
  await app.register(page, { prefix: PREFIX })
}
