import type { Backup } from '../domain/backup.ts'

const SUSPICIOUS_BELOW = 0.5

/** Warnings for a backup that shows less than half of what the last good one did; empty if it does not. */
export function shrinkage(
  previous: Backup | null,
  current: { readonly sizeBytes: number; readonly recordCount: number },
): readonly string[] {
  // a suspicious backup that nobody accepted is no measure for the next one
  const facts = previous?.facts ?? null
  if (facts === null || facts.suspicious) return []
  const warnings: string[] = []
  if (current.recordCount < facts.recordCount * SUSPICIOUS_BELOW) {
    warnings.push(`suspicious: ${current.recordCount} records, the previous backup had ${facts.recordCount}`)
  }
  if (current.sizeBytes < facts.sizeBytes * SUSPICIOUS_BELOW) {
    warnings.push(`suspicious: ${current.sizeBytes} bytes, the previous backup had ${facts.sizeBytes}`)
  }
  return warnings
}
