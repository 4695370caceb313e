import type { CheckReport, CheckRequest } from '@holdfast/core'
import { hasCode, throwIfAborted } from '@holdfast/core'
import { readContents } from '../contents/contents-file.ts'
import type { DrillParts } from '../drill/drill-dump.ts'
import { drillDump } from '../drill/drill-dump.ts'
import { requireFormat } from '../restore/preflight.ts'
import { checkOutside, checkStatements } from './check-structure.ts'

/**
 * Checks a dump: that it is whole, and for `full` also that it can be restored with the contents of its source. A dump
 * that is not sound is a report that says so; rejects only if it could not be checked.
 */
export async function checkDump(
  parts: DrillParts,
  request: CheckRequest,
  signal: AbortSignal,
): Promise<CheckReport> {
  throwIfAborted(signal)
  requireFormat(request.dump.format)
  const outside = await checkOutside(request)
  if (!outside.valid) return { ...outside, rowCounts: null }
  try {
    if (request.depth === 'full') return await drillDump(parts, request, signal)
    const contents = readContents(request.dump.attachments)
    return { ...(await checkStatements(request, contents, signal)), rowCounts: null }
  } catch (error) {
    // what reading or loading found to be wrong with the dump itself
    const isFinding = hasCode(error, 'ARTIFACT_CORRUPT') || hasCode(error, 'VERIFICATION_FAILED')
    if (isFinding) return { valid: false, message: error.message, rowCounts: null }
    throw error
  }
}
