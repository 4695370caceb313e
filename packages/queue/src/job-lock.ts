import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'

/**
 * Keeps Redis from handing a job to somebody else while it is worked on. BullMQ's own renewal is off: it forgets a
 * job that was parked, promoted and begun again by the same worker before the first processor had returned.
 *
 * A lock that cannot be kept stops nothing: the lease in the catalog protects the work.
 */
export function keepJobLock(job: Job, token: string, lockMs: number, redis: Redis): { stop(): void } {
  const timer = setInterval(() => {
    // while Redis is away, commands would only pile up
    if (redis.status !== 'ready') return
    job.extendLock(token, lockMs).catch(() => undefined)
  }, lockMs / 3)
  timer.unref()
  return {
    stop() {
      clearInterval(timer)
    },
  }
}
