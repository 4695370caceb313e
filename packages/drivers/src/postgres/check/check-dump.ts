import type { CheckReport, CheckRequest } from '@holdfast/core'
import { hasCode, throwIfAborted } from '@holdfast/core'
import type { DrillParts } from '../drill/drill-dump.ts'
import { drillDump } from '../drill/drill-dump.ts'
import { checkInside } from './check-inside.ts'
import { checkOutside } from './check-outside.ts'
import { withReadableDump } from './unpack-dump.ts'

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
  const outside = await checkOutside(request, signal)
  if (!outside.valid) return { ...outside, rowCounts: null }
  try {
    return await withReadableDump(request, signal, (path) => checkReadable(parts, request, path, signal))
  } catch (error) {
    // what unpacking, reading or loading found to be wrong with the dump itself
    const isFinding = hasCode(error, 'ARTIFACT_CORRUPT') || hasCode(error, 'VERIFICATION_FAILED')
    if (isFinding) return { valid: false, message: error.message, rowCounts: null }
    throw error
  }
}

async function checkReadable(
  parts: DrillParts,
  request: CheckRequest,
  path: string,
  signal: AbortSignal,
): Promise<CheckReport> {
  const { sizeBytes } = request.dump
  const inside = await checkInside(parts, request.dump, path, signal)
  if (!inside.valid) return { ...inside, rowCounts: null }
  if (request.depth === 'full') return drillDump(parts, request, path, signal)
  request.onProgress({ bytes: sizeBytes, totalBytes: sizeBytes })
  return { ...inside, rowCounts: null }
}
