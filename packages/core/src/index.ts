export type { Configuration, Environment, SecretReader } from './configuration.ts'
export { loadConfiguration } from './configuration.ts'
export type { LogLevel, QueueName, Setting } from './configuration-settings.ts'
export { QUEUE_NAMES, SETTINGS } from './configuration-settings.ts'
export type {
  BackupPayload,
  RestorePayload,
  RetentionPayload,
  VerifyPayload,
} from './contract/requests.ts'
export {
  AcceptedPayload,
  BackupBody,
  BackupKindSchema,
  BackupModeSchema,
  BackupReferenceSchema,
  CompressionSchema,
  DatabaseNameSchema,
  DIRECT_PAYLOADS,
  IncludeSchema,
  LabelsSchema,
  NameSchema,
  NoteSchema,
  RestoreBody,
  RetainSchema,
  VerificationLevelSchema,
  VerifyBody,
} from './contract/requests.ts'
export { validate } from './contract/validate.ts'
export { describeError } from './describe-error.ts'
export type { ApiKey, AuditEntry, Role, Schedule } from './domain/access.ts'
export { allows, ROLES } from './domain/access.ts'
export type {
  Backup,
  BackupFacts,
  BackupKind,
  BackupMode,
  BackupStatus,
  Counting,
  DumpFilter,
  GlobalsChoice,
  Verification,
} from './domain/backup.ts'
export { BACKUP_TRANSITIONS, isUsable } from './domain/backup.ts'
export { canonicalJson } from './domain/canonical-json.ts'
export type {
  Artifact,
  ExpectedManifest,
  IncludedDirectory,
  Manifest,
  UnsignedManifest,
} from './domain/manifest.ts'
export { MAX_MANIFEST_BYTES, parseManifest, signManifest } from './domain/manifest.ts'
export { ManifestSchema } from './domain/manifest-schema.ts'
export { isUuid, NAME_PATTERN, requireName } from './domain/names.ts'
export {
  ARTIFACT_ROLES,
  artifactKey,
  artifactName,
  backupPrefix,
  manifestKey,
  requireFolder,
  requireKey,
  restoreNotesKey,
  stateKey,
} from './domain/object-keys.ts'
export type {
  BackupRequest,
  Operation,
  OperationRequest,
  OperationResult,
  OperationState,
  OperationType,
  Progress,
  Replaced,
  RestoreDestination,
  RestoreRequest,
  RetentionRequest,
  UndoRequest,
  VerifyRequest,
} from './domain/operation.ts'
export { FINISHED_STATES, isFinished, OPERATION_TYPES } from './domain/operation.ts'
export { restoreNotes } from './domain/restore-notes.ts'
export { matchesName } from './domain/select-names.ts'
export { fileHasSha256, outputHasSha256, shellBlock, shellQuote } from './domain/shell-commands.ts'
export type { Compression, Target, TargetOptions, VerificationLevel } from './domain/target.ts'
export { uuidv7 } from './domain/uuid.ts'
export type { AppErrorOptions, ErrorCode, Failure } from './errors.ts'
export { AppError, cancellation, ERROR_CODES, hasCode, throwIfAborted, toFailure } from './errors.ts'
export type { Tool, ToolExit, ToolRequest } from './pipeline/child-tool.ts'
export { startTool, ToolFailure, toolAvailable } from './pipeline/child-tool.ts'
export type { Encoded, EncodeOptions, PlainSource } from './pipeline/codec.ts'
export { encode } from './pipeline/codec.ts'
export type { ExpectedBytes } from './pipeline/decode.ts'
export { decode } from './pipeline/decode.ts'
export { extractTar } from './pipeline/extract-tar.ts'
export type { Digest } from './pipeline/hash.ts'
export { CHUNK_BYTES, HashCounter, sha256Of, sha256OfFile } from './pipeline/hash.ts'
export { requireInsideRoots } from './pipeline/path-policy.ts'
export { prove } from './pipeline/prove.ts'
export { syncDirectory } from './pipeline/sync-directory.ts'
export type { DirectoriesTar, TarOptions, TarSummary } from './pipeline/tar-directories.ts'
export { tarDirectories } from './pipeline/tar-directories.ts'
export { together } from './pipeline/together.ts'
export type {
  Acquisition,
  AuditStore,
  BackupChange,
  BackupFilter,
  BackupOutcome,
  BackupStore,
  Catalog,
  CatalogStats,
  HeldLock,
  KeyStore,
  NewOperation,
  NewTarget,
  NextInLine,
  OperationEnd,
  OperationFilter,
  OperationStore,
  Page,
  PageRequest,
  Pause,
  ReplacedStore,
  ScheduleStore,
  TargetChange,
  TargetStore,
} from './ports/catalog.ts'
export type { Clock } from './ports/clock.ts'
export { isoNow, systemClock } from './ports/clock.ts'
export type {
  Attachment,
  CheckDepth,
  CheckReport,
  CheckRequest,
  DatabaseDriver,
  DatabaseInfo,
  DestinationReport,
  DriverContext,
  DumpDescription,
  DumpRequest,
  DumpSink,
  DumpSummary,
  ReplacedTicket,
  RestoreNeeds,
  RestoreOptions,
  StageRequest,
  StageTicket,
  SwapResult,
} from './ports/driver.ts'
export type {
  DriverFactory,
  DriverRegistry,
  DumpFormat,
  ServerSupport,
  StoredPart,
  StoredParts,
} from './ports/driver-factory.ts'
export type { OperationContext, OperationHandler, OperationPause } from './ports/handler.ts'
export type { Logger } from './ports/logger.ts'
export type { JobQueue, OperationEvent, OperationEvents } from './ports/queue.ts'
export type { ManifestSigner, Seal } from './ports/seal.ts'
export type { PutResult, Storage, StoredObject } from './ports/storage.ts'
export type { StorageRegistry, WorkDeps } from './ports/work.ts'
export type { DispatchDeps } from './use-cases/accept.ts'
export { acceptBackup, acceptRetention, acceptVerify, dispatch } from './use-cases/accept.ts'
export { acceptRestore, acceptUndo } from './use-cases/accept-restore.ts'
export { backupHandler } from './use-cases/backup-handler.ts'
export type { CancelDeps } from './use-cases/cancel-operation.ts'
export { cancelOperation } from './use-cases/cancel-operation.ts'
export { changeBackup } from './use-cases/change-backup.ts'
export { deleteBackup } from './use-cases/delete-backup.ts'
export { latestBackup } from './use-cases/latest-backup.ts'
export { loadManifest, loadManifestText, openArtifact } from './use-cases/open-artifact.ts'
export type { AcceptDeps, Accepted, Caller, EngineFacts } from './use-cases/record-request.ts'
export { restoreHandler } from './use-cases/restore-handler.ts'
export { retentionHandler } from './use-cases/run-retention.ts'
export { verifyHandler } from './use-cases/run-verify.ts'
export { requireScratchSpace } from './use-cases/scratch.ts'
export type { StorageRegistryDeps } from './use-cases/storage-registry.ts'
export { createStorageRegistry } from './use-cases/storage-registry.ts'
export type { SweepGrace } from './use-cases/sweep.ts'
export { sweep } from './use-cases/sweep.ts'
export { lockKeyOf } from './use-cases/target-driver.ts'
export { RESTORE_URL_PURPOSE, TARGET_URL_PURPOSE } from './use-cases/target-url.ts'
export type { TargetCheck } from './use-cases/targets.ts'
export {
  changeTarget,
  checkTarget,
  registerTarget,
  TargetBody,
  TargetChangeBody,
  TargetOptionsSchema,
} from './use-cases/targets.ts'
