import { createHash } from 'node:crypto'
import { canonicalJson } from '../domain/canonical-json.ts'
import type { Operation, OperationRequest } from '../domain/operation.ts'
import { uuidv7 } from '../domain/uuid.ts'
import type { Catalog, NewOperation } from '../ports/catalog.ts'
import type { Clock } from '../ports/clock.ts'
import type { DriverFactory, DriverRegistry } from '../ports/driver-factory.ts'
import type { Seal } from '../ports/seal.ts'
import type { StorageRegistry } from '../ports/work.ts'

/** What an engine can do: enough to judge a request by. */
export type EngineFacts = Pick<DriverFactory, 'engine' | 'formats' | 'supports' | 'servers'>

/** What every request for work needs. */
export interface AcceptDeps {
  readonly catalog: Pick<Catalog, 'targets' | 'backups' | 'operations' | 'replaced'>
  readonly clock: Clock
  readonly seal: Seal
  readonly drivers: Pick<DriverRegistry, 'forUrl'> & { byEngine(engine: string): EngineFacts }
  readonly storages: Pick<StorageRegistry, 'names'>
}

/** Who asks. `job` is set when the request came as a job that is in its queue already. */
export interface Caller {
  readonly actor: string
  readonly idempotencyKey: string | null
  readonly job: { readonly jobId: string; readonly operationId: string } | null
}

export interface Accepted {
  readonly operation: Operation
  readonly coalesced: boolean
}

/** A request for work, judged and ready to be recorded. */
export type Asked = Pick<NewOperation, 'type' | 'target' | 'lockKey' | 'backupId'> & {
  readonly request: OperationRequest
  /** Requests equal in this are one operation while it is under way; null: never. */
  readonly equalTo: object | null
}

/** Records a request once, however often it is made. */
export function recordRequest(
  deps: Pick<AcceptDeps, 'catalog' | 'clock'>,
  caller: Caller,
  asked: Asked,
): Promise<Accepted> {
  const { equalTo, ...operation } = asked
  const id = caller.job?.operationId ?? uuidv7(deps.clock.now())
  const comparable = equalTo ?? asked.request
  return deps.catalog.operations.accept({
    ...operation,
    id,
    jobId: caller.job?.jobId ?? id,
    dedupId: equalTo === null ? null : digestOf(equalTo),
    requestedBy: caller.actor,
    idempotency:
      caller.idempotencyKey === null
        ? null
        : { actor: caller.actor, key: caller.idempotencyKey, requestHash: digestOf(comparable) },
  })
}

function digestOf(value: object): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}
