import type { QueueName } from '@holdfast/core'

/** Prefix of every key of ours, in braces so that a Redis Cluster keeps all of them in one slot. */
export const PREFIX = '{holdfast}'

/** Keys and channels beside those of BullMQ, which are all below `{holdfast}:<queue>:`. */
export const KEYS = {
  /** Stream of operation ids that changed. */
  events: `${PREFIX}:events`,
  /** Channel of operation ids that a person wants cancelled. */
  cancel: `${PREFIX}:cancel`,
  /** Sorted set of living workers by the time at which they count as dead. */
  workers: `${PREFIX}:workers`,
  /** Id of the catalog that this Redis belongs to. */
  catalog: `${PREFIX}:catalog`,
  /** When that id was written, in milliseconds of the clock of Redis. */
  claimedAt: `${PREFIX}:claimed-at`,
  /** Held by the one worker that reconciles in this interval. */
  reconciler: `${PREFIX}:reconciler`,
  /** Held by the one worker that runs this maintenance job. */
  maintenance: (name: string) => `${PREFIX}:running:${name}`,
} as const

/** Queue of the ticks that keep the house clean. */
export const MAINTENANCE_QUEUE = 'maintenance' satisfies QueueName
