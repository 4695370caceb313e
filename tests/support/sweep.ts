import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import type { System } from './system.ts'

/** Asks for a sweep now instead of at its time, and waits for its end. */
export async function sweepNow(system: System): Promise<void> {
  const queue = new Queue('maintenance', { connection: { url: system.redis.url }, prefix: '{holdfast}' })
  try {
    const job = await queue.add('sweep', { v: 1 })
    while (!(await job.isCompleted())) {
      if (await job.isFailed()) throw new Error(`the sweep failed: ${job.failedReason}`)
      await sleep(50)
    }
  } finally {
    await queue.close()
  }
}
