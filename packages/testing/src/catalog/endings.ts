import type { BackupFacts, Failure, OperationEnd, Verification, VerificationLevel } from '@holdfast/core'

/** A failure with nothing special about it. */
export const FAILURE: Failure = {
  code: 'TOOL_FAILED',
  detail: 'the tool ended with 1',
  hint: 'look at its log',
}

const NOTHING_ELSE = { result: null, failure: null, backup: null, replaced: null, undone: null } as const

/** The end of a retention, a dry run or a restore that kept nothing aside. */
export const COMPLETED: OperationEnd = { ...NOTHING_ELSE, state: 'completed' }

/** The end of any operation that went wrong; of a backup, its row follows. */
export const FAILED: OperationEnd = { ...NOTHING_ELSE, state: 'failed', failure: FAILURE }

export const CANCELLED: OperationEnd = { ...NOTHING_ELSE, state: 'cancelled' }

/** Facts of a small database, consistent at this moment. */
export function factsAt(consistentAt: string): BackupFacts {
  return {
    format: 'sqlite',
    sizeBytes: 8192,
    storedBytes: 1024,
    recordCount: 3,
    rowCounts: { items: 2, 'odd "name"': 1 },
    counting: 'exact',
    fileCount: 0,
    serverVersion: '3.50.0',
    toolVersion: '13.2.0',
    storagePath: 'shop/some-id',
    checksum: 'a'.repeat(64),
    warnings: ['a writer waited for 60 ms'],
    suspicious: false,
    completedAt: consistentAt,
    consistentAt,
    durationMs: 12,
    engineDetails: { pageCount: 2, encoding: 'UTF-8', wal: true },
  }
}

export function verificationOf(level: VerificationLevel, valid: boolean, at: string): Verification {
  return { level, valid, message: valid ? 'ok' : 'page 2 is damaged', at }
}

/** The end of a backup that was taken and passed its gate. */
export function completedWith(facts: BackupFacts, expiresAt: string | null = null): OperationEnd {
  const verification = verificationOf('structure', true, facts.completedAt)
  return { ...COMPLETED, backup: { kind: 'completed', facts, verification, expiresAt } }
}

/** The end of a verification. */
export function verifiedAs(verification: Verification): OperationEnd {
  return { ...COMPLETED, backup: { kind: 'verified', verification } }
}
