import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { AcceptedPayload, DIRECT_PAYLOADS } from '@holdfast/core'
import type { Job, Queue } from 'bullmq'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'

const HIDDEN = '(hidden)'
const HARMLESS_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/

/**
 * A queue as the dashboard may show it. Any producer may put anything into a job, so that only what our payloads know
 * and what is valid there is shown; logs, stack traces and free results are not. Nothing can be changed.
 */
export class RedactedQueue extends BullMQAdapter {
  readonly #name: string

  constructor(queue: Queue) {
    super(queue, { readOnlyMode: true, allowRetries: false })
    this.#name = queue.name
  }

  override async getJob(id: string) {
    const job = await super.getJob(id)
    return job && this.#redact(job)
  }

  override async getJobs(...request: Parameters<BullMQAdapter['getJobs']>) {
    const jobs = await super.getJobs(...request)
    return jobs.map((job) => this.#redact(job))
  }

  override async getJobLogs(): Promise<string[]> {
    return []
  }

  /** Trees of jobs are read past this adapter, so that they are not shown at all: ours have no children. */
  override async getFlowProducer() {
    return null
  }

  override async getJobSchedulers() {
    const schedulers = await super.getJobSchedulers()
    return schedulers.map(({ template: _template, ...scheduler }) => scheduler)
  }

  #redact(job: Job): Job {
    const plain = job.toJSON()
    const { attempts, delay, priority, timestamp } = plain.opts
    const shown = {
      ...plain,
      name: HARMLESS_NAME.test(plain.name) ? plain.name : HIDDEN,
      data: redactPayload(this.#name, plain.data),
      opts: { attempts, delay, priority, timestamp },
      progress: redactProgress(plain.progress),
      returnvalue: null,
      stacktrace: [],
      deduplicationId: /^[0-9a-f]{64}$/.test(plain.deduplicationId ?? '') ? plain.deduplicationId : undefined,
    }
    return Object.assign(job, { toJSON: () => shown })
  }
}

/** The fields of a job that our payloads know, each only if it is valid there. */
export function redactPayload(queue: string, data: unknown): Readonly<Record<string, unknown>> {
  if (typeof data !== 'object' || data === null) return {}
  const known: Readonly<Record<string, TSchema>> = { ...AcceptedPayload.properties, ...directFields(queue) }
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      const schema = Object.hasOwn(known, name) ? known[name] : undefined
      if (!schema) return HARMLESS_NAME.test(name) ? [name, HIDDEN] : ['other', HIDDEN]
      return [name, Value.Check(schema, value) ? value : HIDDEN]
    }),
  )
}

function directFields(queue: string): Readonly<Record<string, TSchema>> {
  const payloads: Readonly<Record<string, { readonly properties: Readonly<Record<string, TSchema>> }>> =
    DIRECT_PAYLOADS
  return Object.hasOwn(payloads, queue) ? (payloads[queue]?.properties ?? {}) : {}
}

/** A number, or what our workers report: the phase and figures. */
function redactProgress(progress: unknown): number | Readonly<Record<string, unknown>> {
  if (typeof progress === 'number') return progress
  if (typeof progress !== 'object' || progress === null) return 0
  const entries = Object.entries(progress)
  const figures = entries.filter(([name, value]) => FIGURES.includes(name) && typeof value === 'number')
  const phase = entries.filter(([name, value]) => name === 'phase' && HARMLESS_NAME.test(String(value)))
  return Object.fromEntries([...phase, ...figures])
}

const FIGURES = ['percent', 'bytes', 'totalBytes']
