import type { DumpDescription } from '@holdfast/core'
import { AppError, hasCode } from '@holdfast/core'
import type { ClientTools, Toolbox } from '../client-tools.ts'

/**
 * Client programs that can read a dump: not older than the one that wrote it. Rejects with TOOL_MISSING or
 * TOOL_TOO_OLD, naming what to install.
 */
export async function toolsForDump(
  toolbox: Toolbox,
  { toolVersion }: Pick<DumpDescription, 'toolVersion'>,
): Promise<ClientTools> {
  try {
    return await toolbox.toolsFor(versionOf(toolVersion))
  } catch (error) {
    if (!hasCode(error, 'TOOL_TOO_OLD')) throw error
    const hint = error.hint === null ? {} : { hint: error.hint }
    throw new AppError(
      'TOOL_TOO_OLD',
      `no client installed is as new as the pg_dump that wrote the dump (${toolVersion})`,
      {
        ...hint,
        cause: error,
      },
    )
  }
}

/** 150020 for `15.20`. */
function versionOf(text: string): number {
  const [, major = '0', minor = '0'] = /(\d{1,3})(?:\.(\d{1,4}))?/.exec(text) ?? []
  return Number(major) * 10_000 + Number(minor)
}
