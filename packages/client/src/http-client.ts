import { inspect } from 'node:util'
import type { Download, DownloadOptions } from './download.ts'
import { downloadBackup } from './download.ts'
import type {
  BackupChange,
  BackupKind,
  BackupMode,
  BackupRequest,
  NewTarget,
  RestoreRequest,
  Role,
  TargetChange,
  VerifyRequest,
} from './requests.ts'
import type { Call, CallOptions, ClientOptions, Transport, WorkOptions } from './transport.ts'
import { createTransport } from './transport.ts'
import type {
  ApiKey,
  AuditEntry,
  Backup,
  BackupStatus,
  NewApiKey,
  Operation,
  OperationState,
  OperationType,
  Page,
  Readiness,
  Replaced,
  Stats,
  Target,
  TargetCheck,
} from './views.ts'
import type { WaitOptions } from './wait-for-operation.ts'
import { waitForOperation } from './wait-for-operation.ts'

/** Which page of a list. `limit` is 1 to 200. */
export interface PageOptions extends CallOptions {
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

export interface TargetFilter extends PageOptions {
  readonly environment?: string | undefined
}

export interface BackupFilter extends PageOptions {
  readonly target?: string | undefined
  /** Of a target that names a server. */
  readonly database?: string | undefined
  /** The operation of a group: the backups of its members. */
  readonly group?: string | undefined
  readonly environment?: string | undefined
  readonly status?: BackupStatus | undefined
  readonly kind?: BackupKind | undefined
  readonly mode?: BackupMode | undefined
  /** `key` or `key=value`. */
  readonly label?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

export interface OperationFilter extends PageOptions {
  readonly state?: OperationState | undefined
  readonly type?: OperationType | undefined
  readonly target?: string | undefined
  readonly backupId?: string | undefined
  /** The operation of a group: its members. */
  readonly group?: string | undefined
}

/**
 * Every call of a Holdfast service. Calls reject with a HoldfastError, or with the reason of an aborted signal.
 * Calls that ask for work resolve once it is accepted; `operations.waitFor` waits for its end.
 */
export interface HoldfastClient {
  readonly url: string
  readonly targets: TargetCalls
  readonly backups: BackupCalls
  readonly operations: OperationCalls
  readonly keys: KeyCalls
  readonly replaced: { list(options?: CallOptions): Promise<readonly Replaced[]> }
  readonly retention: { apply(options?: WorkOptions): Promise<Operation> }
  readonly audit: { list(options?: PageOptions): Promise<Page<AuditEntry>> }
  stats(options?: CallOptions): Promise<Stats>
  /** Whether the service can work now; needs no key. */
  readiness(options?: CallOptions): Promise<Readiness>
  toJSON(): unknown
}

export interface TargetCalls {
  register(target: NewTarget, options?: CallOptions): Promise<Target>
  list(filter?: TargetFilter): Promise<Page<Target>>
  get(name: string, options?: CallOptions): Promise<Target>
  change(name: string, change: TargetChange, options?: CallOptions): Promise<Target>
  /** Its backups stay. */
  remove(name: string, options?: CallOptions): Promise<void>
  /** Connects to the database and reports what is there. */
  check(name: string, options?: CallOptions): Promise<TargetCheck>
}

/** `backup` is an id or a name. */
export interface BackupCalls {
  request(request: BackupRequest, options?: WorkOptions): Promise<Operation>
  list(filter?: BackupFilter): Promise<Page<Backup>>
  get(backup: string, options?: CallOptions): Promise<Backup>
  /** The newest one that can be restored; of a target that names a server, `database` says of which. */
  latest(target: string, options?: CallOptions & { readonly database?: string | undefined }): Promise<Backup>
  manifest(backup: string, options?: CallOptions): Promise<Readonly<Record<string, unknown>>>
  download(backup: string, options?: DownloadOptions): Promise<Download>
  verify(backup: string, request?: VerifyRequest, options?: WorkOptions): Promise<Operation>
  /** A dry run unless told otherwise. */
  restore(backup: string, request: RestoreRequest, options?: WorkOptions): Promise<Operation>
  change(backup: string, change: BackupChange, options?: CallOptions): Promise<Backup>
  /** For good. */
  remove(
    backup: string,
    options?: CallOptions & { readonly evenIfPinned?: boolean | undefined },
  ): Promise<{ readonly bytesFreed: number }>
}

export interface OperationCalls {
  list(filter?: OperationFilter): Promise<Page<Operation>>
  get(id: string, options?: CallOptions): Promise<Operation>
  /** Resolves with the finished operation, whatever its end. */
  waitFor(id: string, options?: WaitOptions): Promise<Operation>
  /** At once while it waits; a running one ends when its worker has cleaned up. */
  cancel(id: string, options?: CallOptions): Promise<Operation>
  /** Puts back what a restore replaced, while it is kept. */
  undo(id: string, options?: WorkOptions): Promise<Operation>
}

export interface KeyCalls {
  create(key: { readonly name: string; readonly role: Role }, options?: CallOptions): Promise<NewApiKey>
  list(options?: CallOptions): Promise<readonly ApiKey[]>
  revoke(name: string, options?: CallOptions): Promise<void>
}

/** Makes a client. Nothing is sent yet; throws INVALID_CONFIGURATION if the URL or the key cannot be one. */
export function createHoldfastClient(options: ClientOptions): HoldfastClient {
  const transport = createTransport(options)
  const client: HoldfastClient = {
    url: transport.url,
    targets: targetCalls(transport),
    backups: backupCalls(transport),
    operations: operationCalls(transport),
    keys: keyCalls(transport),
    replaced: { list: async (more) => (await getItems<Replaced>(transport, '/v1/replaced', more)).items },
    retention: { apply: (more) => transport.json({ ...more, method: 'POST', path: '/v1/retention/apply' }) },
    audit: { list: (more) => getPage(transport, '/v1/audit', more) },
    stats: (more) => transport.json({ ...more, method: 'GET', path: '/v1/stats' }),
    readiness: (more) => transport.json({ ...more, method: 'GET', path: '/readyz', alsoGood: 503 }),
    // the key is in no field, and stays so whatever prints a client
    toJSON: () => ({ url: transport.url }),
  }
  const print = () => `HoldfastClient(${transport.url})`
  return Object.defineProperty(client, inspect.custom, { value: print })
}

function targetCalls(transport: Transport): TargetCalls {
  const at = (name: string, rest = '') => `/v1/targets/${encodeURIComponent(name)}${rest}`
  return {
    register: (body, more) => transport.json({ ...more, method: 'POST', path: '/v1/targets', body }),
    list: (filter) => getPage(transport, '/v1/targets', filter),
    get: (name, more) => transport.json({ ...more, method: 'GET', path: at(name) }),
    change: (name, body, more) => transport.json({ ...more, method: 'PATCH', path: at(name), body }),
    remove: (name, more) => transport.json({ ...more, method: 'DELETE', path: at(name) }),
    check: (name, more) => transport.json({ ...more, method: 'POST', path: at(name, '/check') }),
  }
}

function backupCalls(transport: Transport): BackupCalls {
  const at = (backup: string, rest = '') => `/v1/backups/${encodeURIComponent(backup)}${rest}`
  return {
    request: (body, more) => transport.json({ ...more, method: 'POST', path: '/v1/backups', body }),
    list: (filter) => getPage(transport, '/v1/backups', filter),
    get: (backup, more) => transport.json({ ...more, method: 'GET', path: at(backup) }),
    latest: (target, { database, signal } = {}) =>
      transport.json({ method: 'GET', path: '/v1/backups/latest', query: { target, database }, signal }),
    manifest: (backup, more) => transport.json({ ...more, method: 'GET', path: at(backup, '/manifest') }),
    download: (backup, more) => downloadBackup(transport, backup, more),
    verify: (backup, body = {}, more = {}) =>
      transport.json({ ...more, method: 'POST', path: at(backup, '/verify'), body }),
    restore: (backup, body, more) =>
      transport.json({ ...more, method: 'POST', path: at(backup, '/restore'), body }),
    change: (backup, body, more) => transport.json({ ...more, method: 'PATCH', path: at(backup), body }),
    remove: (backup, { evenIfPinned, signal } = {}) =>
      transport.json({ method: 'DELETE', path: at(backup), query: { evenIfPinned }, signal }),
  }
}

function operationCalls(transport: Transport): OperationCalls {
  const at = (id: string, rest = '') => `/v1/operations/${encodeURIComponent(id)}${rest}`
  return {
    list: (filter) => getPage(transport, '/v1/operations', filter),
    get: (id, more) => transport.json({ ...more, method: 'GET', path: at(id) }),
    waitFor: (id, more) => waitForOperation(transport, id, more),
    cancel: (id, more) => transport.json({ ...more, method: 'POST', path: at(id, '/cancel') }),
    undo: (id, more) => transport.json({ ...more, method: 'POST', path: at(id, '/undo') }),
  }
}

function keyCalls(transport: Transport): KeyCalls {
  return {
    create: (body, more) => transport.json({ ...more, method: 'POST', path: '/v1/keys', body }),
    list: async (more) => (await getItems<ApiKey>(transport, '/v1/keys', more)).items,
    revoke: (name, more) =>
      transport.json({ method: 'DELETE', path: `/v1/keys/${encodeURIComponent(name)}`, ...more }),
  }
}

function getPage<Item>(
  transport: Transport,
  path: string,
  { signal, ...query }: PageOptions = {},
): Promise<Page<Item>> {
  return transport.json({ method: 'GET', path, query, signal })
}

function getItems<Item>(
  transport: Transport,
  path: string,
  options: CallOptions = {},
): Promise<{ readonly items: readonly Item[] }> {
  const call: Call = { method: 'GET', path, signal: options.signal }
  return transport.json(call)
}
