import type { AuditStore } from '@holdfast/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ANONYMOUS, findPrincipal } from '../auth/principal.ts'

/**
 * Writes every call of a changing route into the audit trail before it is answered, refused ones included. The trail
 * never decides what is answered: if it cannot be written, the log has the entry.
 */
export function auditChanges(app: FastifyInstance, audit: Pick<AuditStore, 'add'>): void {
  app.addHook('onSend', async (request, reply) => {
    const { action } = request.routeOptions.config
    if (action === undefined || reply.statusCode === 429) return
    const entry = {
      actor: findPrincipal(request)?.name ?? ANONYMOUS,
      action,
      subject: subjectOf(request),
      requestId: request.id,
      outcome: outcomeOf(reply),
    }
    // when the catalog is away, waiting for it again would only delay the answer that says so
    if (reply.statusCode === 503) return request.log.warn({ audit: entry }, 'change refused')
    await audit
      .add(entry)
      .catch((error: unknown) => request.log.error({ err: error, audit: entry }, 'audit entry lost'))
  })
}

const HARMLESS = /^[a-z0-9][a-z0-9._-]{0,62}$/

/** What the call is about, as far as it looks like a name: whatever else was sent may hold anything. */
function subjectOf(request: FastifyRequest): string {
  const candidates = [fieldOf(request.params, ['id', 'name']), fieldOf(request.body, ['target', 'name'])]
  return candidates.find((text) => text !== null && HARMLESS.test(text)) ?? '-'
}

function fieldOf(value: unknown, names: readonly string[]): string | null {
  if (typeof value !== 'object' || value === null) return null
  for (const name of names) {
    const field: unknown = Reflect.get(value, name)
    if (typeof field === 'string') return field
  }
  return null
}

function outcomeOf(reply: FastifyReply): string {
  return `${reply.statusCode < 400 ? 'done' : 'refused'} (${reply.statusCode})`
}
