import { Readable } from 'node:stream'
import type { Attachment } from '@holdfast/core'
import type { ToolPlace } from './run-psql.ts'
import { runPsql } from './run-psql.ts'

/** The options that go with {@link settingsIn}. */
export function settingsOptions(database: string, keepOwners: boolean): readonly string[] {
  return ['-v', `database=${database}`, ...(keepOwners ? [] : ['-v', 'no_owner=1'])]
}

/** The script that gives a database what its source was set to; null if the dump has none. */
export function settingsIn(attachments: readonly Attachment[]): string | null {
  return attachments.find(({ role }) => role === 'settings')?.content ?? null
}

/**
 * Gives a restored database owner, privileges, comment and settings of its source, all or nothing. Rejects like
 * `loadDump`.
 */
export async function applySettings(
  place: ToolPlace,
  { keepOwners, script }: { readonly keepOwners: boolean; readonly script: string },
  signal: AbortSignal,
): Promise<void> {
  const content = Readable.from([Buffer.from(script)])
  await runPsql(place, settingsOptions(place.database, keepOwners), { content, file: null }, signal)
}
