import type { Accepted, Caller } from '@holdfast/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { principalOf } from '../auth/principal.ts'
import { OperationView, toOperationView } from '../routes/operations/schemas.ts'
import { problemResponses } from './problem.ts'
import { refTo } from './ref.ts'

/** Headers of every request for work. */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      pattern: '^[\\x20-\\x7e]+$',
      description: 'A repetition with the same key is the same request',
    }),
  ),
})

/** Responses of every request for work. */
export const acceptedResponses = {
  202: Type.Unsafe<OperationView>({ ...refTo(OperationView), description: 'Accepted; follow the Location' }),
  ...problemResponses,
}

/** Who asks, as the use cases want to know it. */
export function callerOf(
  request: FastifyRequest & { readonly headers: { readonly 'idempotency-key'?: string } },
): Caller {
  return {
    actor: principalOf(request).name,
    idempotencyKey: request.headers['idempotency-key'] ?? null,
    job: null,
  }
}

/** Answers that work was accepted, and where to follow it. */
export function answerAccepted(reply: FastifyReply, { operation, coalesced }: Accepted): FastifyReply {
  reply.code(202).header('location', `/v1/operations/${operation.id}`)
  return reply.send(toOperationView(operation, coalesced))
}
