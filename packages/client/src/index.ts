export type { JobResult, JobWaitOptions } from './await-job.ts'
export type { ArtifactRole, Download, DownloadOptions } from './download.ts'
export type { ClientErrorCode, HoldfastErrorFields } from './holdfast-error.ts'
export { HoldfastError } from './holdfast-error.ts'
export type {
  BackupCalls,
  BackupFilter,
  HoldfastClient,
  KeyCalls,
  OperationCalls,
  OperationFilter,
  PageOptions,
  TargetCalls,
  TargetFilter,
} from './http-client.ts'
export { createHoldfastClient } from './http-client.ts'
export type {
  BackupPayload,
  PayloadOrigin,
  RequestQueue,
  RestorePayload,
  RetentionPayload,
  VerifyPayload,
} from './payloads.ts'
export type { QueueAddress, QueueConnectionOptions } from './queue-connection.ts'
export type { JobOptions, ProducerOptions, QueueProducer, RequestedJob } from './queue-producer.ts'
export { createQueueProducer, QUEUE_PREFIX } from './queue-producer.ts'
export type {
  BackupChange,
  BackupKind,
  BackupMode,
  BackupRequest,
  Compression,
  Counting,
  GlobalsChoice,
  NameFilter,
  NewTarget,
  RestoreRequest,
  Role,
  TargetChange,
  TargetOptions,
  VerificationLevel,
  VerifyRequest,
} from './requests.ts'
export type { CallOptions, ClientOptions, WorkOptions } from './transport.ts'
export type {
  ApiKey,
  AuditEntry,
  Backup,
  BackupStatus,
  Failure,
  GroupMember,
  NewApiKey,
  Operation,
  OperationState,
  OperationType,
  Page,
  Progress,
  Readiness,
  Replaced,
  Stats,
  Target,
  TargetCheck,
} from './views.ts'
export type { WaitOptions } from './wait-for-operation.ts'
