import type { Catalog } from './catalog.ts'
import type { Clock } from './clock.ts'
import type { DriverContext } from './driver.ts'
import type { DriverRegistry } from './driver-factory.ts'
import type { Logger } from './logger.ts'
import type { ManifestSigner, Seal } from './seal.ts'
import type { Storage } from './storage.ts'

/** The storages that this process knows. */
export interface StorageRegistry {
  readonly names: readonly string[]
  /** Rejects with STORAGE_UNAVAILABLE for an unknown name, or with STORAGE_MISMATCH if it is not the one we knew. */
  byName(name: string): Promise<Storage>
  list(): Promise<readonly Storage[]>
}

/** What the handlers of operations work with. Each takes the parts that it needs. */
export interface WorkDeps {
  readonly catalog: Catalog
  readonly storages: StorageRegistry
  readonly drivers: DriverRegistry
  readonly driverContext: DriverContext
  readonly seal: Seal
  readonly signer: ManifestSigner
  readonly clock: Clock
  readonly log: Logger
  readonly keepReplacedHours: number
}
