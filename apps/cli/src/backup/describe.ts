import type { Backup } from '@holdfast/client'
import { labelsText } from '../text/table.ts'
import { bytesText, countText, durationText, momentText } from '../text/units.ts'

/** A backup, line by line. */
export function backupDetails(backup: Backup): readonly (readonly [string, string | null])[] {
  const { verification, error } = backup
  return [
    ['id', backup.id],
    ['name', backup.name],
    ['target', backup.target],
    ['database', backup.database],
    ['group', backup.groupId],
    ['environment', backup.environment],
    ['status', statusText(backup)],
    ['mode', `${backup.mode}, ${backup.kind}`],
    ['consistent at', momentText(backup.consistentAt)],
    ['records', countText(backup.recordCount)],
    ['files', backup.fileCount ? countText(backup.fileCount) : null],
    ['size', bytesText(backup.sizeBytes)],
    ['stored', storedText(backup)],
    ['took', durationText(backup.durationMs)],
    [
      'verified',
      verification && `${verification.valid ? 'yes' : 'NO'}, ${verification.level}: ${verification.message}`,
    ],
    ['checksum', backup.checksum && `sha256 ${backup.checksum}`],
    ['engine', [backup.engine, backup.serverVersion].filter((part) => part !== null).join(' ')],
    ['storage', [backup.storage, backup.storagePath].filter((part) => part !== null).join(': ')],
    ['labels', labelsText(backup.labels)],
    ['note', backup.note],
    ['requested by', backup.requestedBy],
    ['created', momentText(backup.createdAt)],
    ['expires', backup.pinned ? 'never: it is pinned' : momentText(backup.expiresAt)],
    ...backup.warnings.map((warning) => ['warning', warning] as const),
    ['error', error && `${error.detail} (${error.code})`],
    ['hint', error?.hint ?? null],
  ]
}

/** The status, and what else a person must know before relying on it. */
export function statusText({ status, suspicious }: Backup): string {
  return suspicious && status === 'completed' ? 'completed, suspicious' : status
}

function storedText({ storedBytes, sizeBytes, compression }: Backup): string | null {
  if (storedBytes === null) return null
  const ratio = sizeBytes && storedBytes ? `, ${(sizeBytes / storedBytes).toFixed(1)} times smaller` : ''
  return `${bytesText(storedBytes)} (${compression}${compression === 'none' ? '' : ratio})`
}
