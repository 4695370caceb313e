import type { Backup, Counting } from '../domain/backup.ts'

const SUSPICIOUS_BELOW = 0.5

/** What a backup shows, and all that makes it comparable with another. */
interface Shown {
  readonly database: string | null
  readonly format: string
  readonly counting: Counting
  /** What the dump leaves out on request, in words. */
  readonly leftOut: string | number | boolean | undefined
  readonly sizeBytes: number
  readonly recordCount: number
}

/**
 * Warnings for a backup that shows less than half of what the last good one did; empty if it does not. `previous` are
 * usable backups, newest first: a suspicious one that nobody accepted is no measure for the next, nor is one of
 * another database, format or selection.
 */
export function shrinkage(previous: readonly Backup[], current: Shown): readonly string[] {
  const facts = previous.find((backup) => isMeasureFor(backup, current))?.facts
  if (!facts) return []
  const warnings: string[] = []
  if (facts.counting === current.counting && current.recordCount < facts.recordCount * SUSPICIOUS_BELOW) {
    warnings.push(`suspicious: ${current.recordCount} records, the previous backup had ${facts.recordCount}`)
  }
  if (current.sizeBytes < facts.sizeBytes * SUSPICIOUS_BELOW) {
    warnings.push(`suspicious: ${current.sizeBytes} bytes, the previous backup had ${facts.sizeBytes}`)
  }
  return warnings
}

function isMeasureFor({ database, facts }: Backup, current: Shown): boolean {
  if (facts === null || facts.suspicious || database !== current.database) return false
  return facts.format === current.format && facts.engineDetails.leftOut === current.leftOut
}
