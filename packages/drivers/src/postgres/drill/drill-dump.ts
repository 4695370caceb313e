import type { CheckReport, CheckRequest } from '@holdfast/core'
import { AppError, hasCode } from '@holdfast/core'
import { ownName } from '../../client-server/own-names.ts'
import { StageProgress } from '../../client-server/stage-progress.ts'
import { versionText } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { parsePostgresUrl } from '../postgres-url.ts'
import { openArchive } from '../restore/archive.ts'
import { endLeftovers } from '../restore/change-names.ts'
import { dropOwnDatabase } from '../restore/drop-database.ts'
import type { WatchedLoad } from '../restore/load-watched.ts'
import { loadWatched } from '../restore/load-watched.ts'
import { openMaintenance, withSession } from '../restore/maintenance.ts'
import type { OwnDatabase } from '../restore/own-database.ts'
import { makeOwnDatabase, removeOwnDatabase } from '../restore/own-database.ts'
import type { Session } from '../session.ts'
import { tagOf } from '../tag.ts'
import { compareCopy } from './compare-copy.ts'
import type { DrillPlan } from './plan-drill.ts'
import { planDrill } from './plan-drill.ts'

/** What drills work with; their server is named by each of them. */
export type DrillParts = Omit<PostgresParts, 'connection'>

/** What is known of a drill before anything is created for it. */
interface Outset extends DrillPlan {
  readonly serverVersion: number
}

/**
 * Restores a dump that is whole into a scratch database and compares that with what its source had. The scratch
 * database is dropped however it ends. Rejects with VERIFICATION_FAILED or ARTIFACT_CORRUPT if the dump is to blame,
 * with RESTORE_NOT_POSSIBLE if the server has not what it takes, else with what the server, the network or a tool had.
 */
export async function drillDump(
  parts: DrillParts,
  request: CheckRequest,
  path: string,
  signal: AbortSignal,
): Promise<CheckReport> {
  const { dump, operationId } = request
  const scratch = scratchOf(parts, request)
  const contents = readContents(dump.attachments)
  const startedAt = parts.context.now()
  const outset = await begin(scratch, request, contents, signal)
  const tools = await parts.toolbox.toolsFor(outset.serverVersion)
  const archive = await openArchive(tools, dump, path, signal)
  const progress = new StageProgress(dump.sizeBytes, request.onProgress)
  progress.received(dump.sizeBytes)
  const { isSuperuser, keepOwners, leaveOut } = outset
  const load: WatchedLoad = { ...scratch, archive, isSuperuser, keepOwners, leaveOut, tools, progress }
  // a drill is over soon: it needs no room of its own
  const traits = { ...contents.database, tablespace: 'pg_default' }
  const fill = async (maintenance: Session, watched: AbortSignal) => {
    await loadWatched(load, maintenance, watched)
    const loadedMs = parts.context.now() - startedAt
    return { loadedMs, ...(await compareCopy(scratch, contents, watched)) }
  }
  const { oid, result } = await makeOwnDatabase(scratch, traits, fill, signal)
  const isGone = await removeOwnDatabase(scratch, oid)
  progress.done()
  const where = `PostgreSQL ${versionText(outset.serverVersion)}`
  const message = [
    `restored on ${where} in ${Math.ceil(result.loadedMs / 1000)} s, ${result.message}`,
    ...outset.notes,
    ...(isGone
      ? []
      : [
          `the scratch database ${ownName('drill', operationId)} could not be dropped and is left to the sweep`,
        ]),
  ].join('; ')
  return { valid: result.valid, message, rowCounts: result.rowCounts }
}

function scratchOf(parts: DrillParts, { scratchUrl, operationId }: CheckRequest): OwnDatabase {
  if (scratchUrl === null) {
    throw new AppError(
      'RESTORE_NOT_POSSIBLE',
      'no server is known on which the backup could be restored for a drill',
      {
        hint: "drills use the server of the backup's target, or of the target that its option 'drillOn' names; without its target a backup can be verified at level structure, or restored into a new database",
      },
    )
  }
  const connection = parsePostgresUrl(scratchUrl)
  const name = ownName('drill', operationId)
  const access = { connection, destination: name, applicationName: tagOf(operationId) }
  return { parts: { ...parts, connection }, access, name }
}

/** Looks at the server, and removes what an earlier attempt of the same operation left there. */
async function begin(
  { parts, access, name }: OwnDatabase,
  { dump }: CheckRequest,
  contents: Contents,
  signal: AbortSignal,
): Promise<Outset> {
  return withSession(openSomewhere(access, signal), async (session) => {
    const plan = await planDrill(parts.toolbox, session, dump, contents)
    await endLeftovers(session, access.applicationName)
    await dropOwnDatabase(access, session, name, null, signal)
    return { ...plan, serverVersion: session.serverVersion }
  })
}

async function openSomewhere(access: OwnDatabase['access'], signal: AbortSignal): Promise<Session> {
  try {
    return await openMaintenance(access, signal)
  } catch (error) {
    if (!hasCode(error, 'DATABASE_NOT_FOUND')) throw error
    throw new AppError(
      'RESTORE_NOT_POSSIBLE',
      'the user may connect to no database of the server of the drill',
      {
        hint: "let the user connect to postgres, or name another target's server by the option 'drillOn'",
        cause: error,
      },
    )
  }
}
