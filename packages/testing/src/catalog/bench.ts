import assert from 'node:assert/strict'
import type {
  Acquisition,
  Backup,
  BackupFacts,
  BackupRequest,
  Catalog,
  HeldLock,
  NewOperation,
  NewTarget,
  Operation,
  VerificationLevel,
} from '@holdfast/core'
import { uuidv7 } from '@holdfast/core'
import { afterAll, beforeAll } from 'vitest'
import { completedWith, FAILED, factsAt, verificationOf, verifiedAs } from './endings.ts'
import type { CatalogPlace, CatalogSubject } from './subject.ts'
import { StillClock } from './subject.ts'

export const LEASE_MS = 30_000

/** Everything about a request that a test may want to be different. */
export type Asked = Partial<Omit<NewOperation, 'type' | 'request'>>

export type Granted = Extract<Acquisition, { readonly granted: true }>

/** One catalog for the tests of one part of the contract; they keep apart by using targets of their own. */
export function useBench(subject: CatalogSubject): () => CatalogBench {
  let bench: CatalogBench | null = null
  beforeAll(async () => {
    bench = await openBench(subject)
  })
  afterAll(async () => {
    await bench?.dispose()
  })
  return () => bench ?? assert.fail('the catalog of this part was not made')
}

async function openBench(subject: CatalogSubject): Promise<CatalogBench> {
  const clock = new StillClock()
  const leases = new StillClock()
  const place = await subject.create()
  return new CatalogBench(place, await place.open({ clock, leaseClock: leases }), clock, leases)
}

let counted = 0

/** A name that no other test uses. */
export function unused(what: string): string {
  counted += 1
  return `${what}-${counted}`
}

/** A catalog, opened as often as a test needs, with short ways to the states that tests begin from. */
export class CatalogBench {
  readonly catalog: Catalog
  readonly clock: StillClock
  readonly leases: StillClock
  readonly #place: CatalogPlace
  readonly #others: Catalog[] = []
  readonly #real: Catalog[] = []

  constructor(place: CatalogPlace, catalog: Catalog, clock: StillClock, leases: StillClock) {
    this.#place = place
    this.catalog = catalog
    this.clock = clock
    this.leases = leases
  }

  /** Several openings of the same catalog, this one among them; the same ones each time. */
  async openings(count: number): Promise<readonly Catalog[]> {
    while (this.#others.length < count - 1) {
      this.#others.push(await this.#place.open({ clock: this.clock, leaseClock: this.leases }))
    }
    return [this.catalog, ...this.#others.slice(0, count - 1)]
  }

  /** One more opening, whose leases are measured as in production. */
  async openReal(): Promise<Catalog> {
    const catalog = await this.#place.open({ clock: this.clock })
    this.#real.push(catalog)
    return catalog
  }

  async dispose(): Promise<void> {
    await Promise.all([this.catalog, ...this.#others, ...this.#real].map((catalog) => catalog.close()))
    await this.#place.remove()
  }

  /** Registers a target with a lock of its own and returns its name. */
  async target(differing: Partial<NewTarget> = {}): Promise<string> {
    const name = differing.name ?? unused('target')
    await this.catalog.targets.add({ ...targetCalled(name), ...differing })
    return name
  }

  /** A request for a backup, equal to no other unless `asked` says so. */
  askBackup(target: string, asked: Asked = {}, request: Partial<BackupRequest> = {}): NewOperation {
    return {
      ...this.#ask(asked),
      type: 'backup',
      target,
      ...where(target, asked),
      ...backupOf(target, request),
    }
  }

  async acceptBackup(target: string, asked?: Asked, request?: Partial<BackupRequest>): Promise<Operation> {
    return (await this.catalog.operations.accept(this.askBackup(target, asked, request))).operation
  }

  askVerify(
    backup: Pick<Backup, 'id' | 'target'>,
    asked: Asked = {},
    level: VerificationLevel = 'restore',
  ): NewOperation {
    const request = { type: 'verify', backupId: backup.id, level } as const
    const about = {
      target: backup.target,
      backupId: backup.id,
      lockKey: asked.lockKey ?? `backup:${backup.id}`,
    }
    return { ...this.#ask(asked), type: 'verify', request, ...about }
  }

  askRestore(backup: Pick<Backup, 'id'>, into: string, asked: Asked = {}): NewOperation {
    const request = {
      type: 'restore',
      backupId: backup.id,
      into: { target: into, database: null },
      dryRun: false,
      confirm: into,
      overwrite: true,
      keepOwners: true,
      definer: null,
      filesInto: null,
    } as const
    const about = { target: into, backupId: backup.id, ...where(into, asked) }
    return { ...this.#ask(asked), type: 'restore', request, ...about }
  }

  async accept(asked: NewOperation): Promise<Operation> {
    return (await this.catalog.operations.accept(asked)).operation
  }

  /** Acquires, and requires that it is granted. */
  async start(operation: Pick<Operation, 'id'>, token = unused('token')): Promise<Granted> {
    const acquired = await this.catalog.operations.acquire({
      operationId: operation.id,
      token,
      leaseMs: LEASE_MS,
    })
    assert.ok(acquired.granted, `expected the lock, got ${JSON.stringify(acquired)}`)
    return acquired
  }

  /** A backup that was taken, with a whole life behind it. */
  async completedBackup(
    target: string,
    facts: Partial<BackupFacts> = {},
    request: Partial<BackupRequest> = {},
    expiresAt: string | null = null,
  ): Promise<Backup> {
    const operation = await this.acceptBackup(target, {}, request)
    const { held } = await this.start(operation)
    const end = completedWith({ ...factsAt(this.clock.iso()), ...facts }, expiresAt)
    await this.catalog.operations.end(held, end)
    return await this.backupOf(operation)
  }

  async failedBackup(target: string, request: Partial<BackupRequest> = {}): Promise<Backup> {
    const operation = await this.acceptBackup(target, {}, request)
    const { held } = await this.start(operation)
    await this.catalog.operations.end(held, FAILED)
    return await this.backupOf(operation)
  }

  /** Lets a verification of this level find the backup good or bad. */
  async verify(backup: Backup, level: VerificationLevel, valid: boolean): Promise<Backup> {
    const { held } = await this.start(await this.accept(this.askVerify(backup, {}, level)))
    await this.catalog.operations.end(held, verifiedAs(verificationOf(level, valid, this.clock.iso())))
    return await this.catalog.backups.get(backup.id)
  }

  backupOf(operation: Pick<Operation, 'backupId'>): Promise<Backup> {
    return this.catalog.backups.get(operation.backupId ?? assert.fail('an operation without a backup'))
  }

  /** What a worker holds after another one has taken its operation over. */
  async takenOver(operation: Operation): Promise<{ readonly lost: HeldLock; readonly held: HeldLock }> {
    const { held: lost } = await this.start(operation)
    this.leases.advance(LEASE_MS)
    const { held } = await this.start(operation)
    return { lost, held }
  }

  #ask(asked: Asked) {
    const id = asked.id ?? uuidv7(this.clock.now())
    return {
      id,
      jobId: id,
      dedupId: null,
      backupId: uuidv7(this.clock.now()),
      requestedBy: 'tester',
      idempotency: null,
      ...asked,
    }
  }
}

/** A target as an API would register it. */
export function targetCalled(name: string): NewTarget {
  return {
    name,
    engine: 'sqlite',
    sealedUrl: `v1.sealed.${name}`,
    displayUrl: `sqlite:///srv/${name}.db`,
    lockKey: lockOf(name),
    environment: null,
    labels: {},
    options: {},
  }
}

/** The lock of a target that nothing special was said about. */
export function lockOf(target: string): string {
  return `database:${target}`
}

function where(target: string, asked: Asked): Pick<NewOperation, 'lockKey'> {
  return { lockKey: asked.lockKey ?? lockOf(target) }
}

function backupOf(target: string, request: Partial<BackupRequest>): { readonly request: BackupRequest } {
  return {
    request: {
      type: 'backup',
      target,
      name: null,
      mode: 'full',
      kind: 'manual',
      database: null,
      groupId: null,
      format: 'sqlite',
      counting: 'exact',
      globals: 'none',
      filter: null,
      compression: 'zstd',
      include: [],
      storage: 'default',
      labels: {},
      note: null,
      retain: null,
      verify: 'structure',
      ...request,
    },
  }
}
