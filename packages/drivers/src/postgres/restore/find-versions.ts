import type { DumpDescription } from '@holdfast/core'
import { hasCode } from '@holdfast/core'
import type { ClientTools, Toolbox } from '../client-tools.ts'
import { versionText } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import { knowsRestrict } from './load-dump.ts'
import type { Findings } from './missing-objects.ts'
import { NOTHING_FOUND } from './missing-objects.ts'

/** From this major on the tools set a time-out that older servers do not know, and stop at it. */
const SETS_TRANSACTION_TIMEOUT = 17

/** Whether server and tools are as new as what made the dump. Nothing promises that newer dumps load into older ones. */
export async function findVersions(
  toolbox: Toolbox,
  serverVersion: number,
  dump: DumpDescription,
  contents: Contents,
): Promise<Findings> {
  const here = majorOf(serverVersion)
  const source = majorOf(contents.serverVersion)
  const tool = Number(/^\D*(\d{1,3})/.exec(dump.toolVersion)?.[1] ?? '0')
  const tooOld = [
    ...(source > here ? [`the backup is of PostgreSQL ${versionText(contents.serverVersion)}`] : []),
    ...(source <= here && tool > here ? [`the backup was made by pg_dump ${dump.toolVersion}`] : []),
  ].map((what) => `${what}, the server is ${versionText(serverVersion)}, which is older`)
  if (tooOld.length > 0) {
    return {
      ...NOTHING_FOUND,
      problems: tooOld,
      hints: [`restore into PostgreSQL ${Math.max(source, tool)} or newer`],
    }
  }
  try {
    return fitting(await toolbox.toolsFor(serverVersion), serverVersion, dump)
  } catch (error) {
    if (!hasCode(error, 'TOOL_MISSING') && !hasCode(error, 'TOOL_TOO_OLD')) throw error
    return { ...NOTHING_FOUND, problems: [error.message], hints: error.hint === null ? [] : [error.hint] }
  }
}

function fitting({ version }: ClientTools, serverVersion: number, dump: DumpDescription): Findings {
  const [tool, here] = [majorOf(version), majorOf(serverVersion)]
  const hints = [`install the client of PostgreSQL ${here}, of its newest minor version`]
  if (tool >= SETS_TRANSACTION_TIMEOUT && here < SETS_TRANSACTION_TIMEOUT) {
    const problem = `the client installed is PostgreSQL ${versionText(version)}, which restores into 17 and newer alone`
    return { ...NOTHING_FOUND, problems: [problem], hints }
  }
  if (dump.format === 'plain' && !knowsRestrict(version) && knowsRestrict(versionOf(dump.toolVersion))) {
    const problem = `psql ${versionText(version)} is too old for scripts of pg_dump ${dump.toolVersion}`
    return { ...NOTHING_FOUND, problems: [problem], hints }
  }
  return NOTHING_FOUND
}

function versionOf(text: string): number {
  const [, major = '0', minor = '0'] = /^\D*(\d{1,3})(?:\.(\d{1,4}))?/.exec(text) ?? []
  return Number(major) * 10_000 + Number(minor)
}

function majorOf(version: number): number {
  return Math.floor(version / 10_000)
}
