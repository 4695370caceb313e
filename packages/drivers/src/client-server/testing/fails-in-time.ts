import assert from 'node:assert/strict'
import type { ErrorCode } from '@holdfast/core'
import { rejectsWith } from '@holdfast/testing'
import { GatedSink } from './gated-sink.ts'

/** What happens to a dump, and what is to become of it. */
export interface Trouble {
  readonly code: ErrorCode
  readonly withinMs: number
  /** What happens in the middle of the dump. */
  readonly cause: (sink: GatedSink) => Promise<unknown>
}

/** Makes trouble for a dump as soon as data flows, and returns the failure that it must end with in time. */
export async function failsInTime(
  { code, withinMs, cause }: Trouble,
  dump: (into: GatedSink) => Promise<unknown>,
): Promise<Error> {
  const into = new GatedSink()
  const rejected = rejectsWith(code, dump(into))
  await Promise.race([into.reached, rejected])
  const since = performance.now()
  await cause(into)
  const failure = await rejected
  const tookMs = performance.now() - since
  assert.ok(tookMs < withinMs, `${failure.message} took ${Math.round(tookMs)} ms`)
  assert.ok(into.destroyed)
  return failure
}
