import type { Backup } from '../domain/backup.ts'

const SUSPICIOUS_BELOW = 0.5

/**
 * Warnings for a backup that shows less than half of what the last good one did; empty if it does not. `previous` are
 * usable backups, newest first: a suspicious one that nobody accepted is no measure for the next.
 */
export function shrinkage(
  previous: readonly Backup[],
  current: { readonly sizeBytes: number; readonly recordCount: number },
): readonly string[] {
  const facts = previous.find((backup) => backup.facts !== null && !backup.facts.suspicious)?.facts
  if (!facts) return []
  const warnings: string[] = []
  if (current.recordCount < facts.recordCount * SUSPICIOUS_BELOW) {
    warnings.push(`suspicious: ${current.recordCount} records, the previous backup had ${facts.recordCount}`)
  }
  if (current.sizeBytes < facts.sizeBytes * SUSPICIOUS_BELOW) {
    warnings.push(`suspicious: ${current.sizeBytes} bytes, the previous backup had ${facts.sizeBytes}`)
  }
  return warnings
}
