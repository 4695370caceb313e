import { dirname } from 'node:path'
import type { CheckReport, CheckRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { StageProgress } from '../../client-server/stage-progress.ts'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { ServerFacts } from '../flavours.ts'
import { versionName } from '../flavours.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import { parseMysqlUrl } from '../mysql-url.ts'
import { ownName } from '../own-names.ts'
import { loadDump } from '../restore/load-dump.ts'
import type { OwnSchema } from '../restore/own-schema.ts'
import { clearOwnSchema, makeOwnSchema, removeOwnSchema } from '../restore/own-schema.ts'
import { findNeedsOfDrill, requireNothingMissing } from '../restore/preflight.ts'
import { withSession } from '../restore/server-access.ts'
import { compareCopy } from '../restore/verify-copy.ts'

/** What drills work with; their server is named by each of them. */
export type DrillParts = Omit<MysqlParts, 'connection'>

/** What is known of a drill before anything is created for it. */
interface Outset {
  readonly server: ServerFacts
  readonly notes: readonly string[]
}

const OTHER_SERVER = "or let another target's server do the drills: name it by the option 'drillOn'"

/**
 * Restores a dump into a scratch schema, without its events, and compares that with what its source had. The schema is
 * dropped however it ends. Rejects with VERIFICATION_FAILED or ARTIFACT_CORRUPT if the dump is to blame, with
 * RESTORE_NOT_POSSIBLE if the server has not what it takes, else with what the server, the network or a tool had.
 */
export async function drillDump(
  parts: DrillParts,
  request: CheckRequest,
  signal: AbortSignal,
): Promise<CheckReport> {
  const scratch = scratchOf(parts, request)
  const contents = readContents(request.dump.attachments)
  const startedAt = parts.context.now()
  const { server, notes } = await begin(scratch, contents, signal)
  const progress = new StageProgress(request.dump.sizeBytes, request.onProgress)
  progress.received(request.dump.sizeBytes)
  const fill = async (_session: unknown, watched: AbortSignal) => {
    await load(scratch, request, contents, progress, watched)
    const loadedMs = parts.context.now() - startedAt
    return { loadedMs, ...(await compareCopy(scratch, contents, watched)) }
  }
  const copy = await makeOwnSchema(scratch, { ...contents, comment: '' }, fill, signal)
  const isGone = await removeOwnSchema(scratch)
  progress.done()
  const where = `${server.flavour.name} ${versionName(server.version)}`
  const message = [
    `restored on ${where} in ${Math.ceil(copy.loadedMs / 1000)} s, ${copy.message}`,
    ...notes,
    ...(isGone ? [] : [`the scratch schema ${scratch.name} could not be dropped and is left to the sweep`]),
  ].join('; ')
  return { valid: copy.valid, message, rowCounts: copy.rowCounts }
}

function scratchOf(parts: DrillParts, { scratchUrl, operationId }: CheckRequest): OwnSchema {
  if (scratchUrl === null) {
    throw new AppError(
      'RESTORE_NOT_POSSIBLE',
      'no server is known on which the backup could be restored for a drill',
      {
        hint: "drills use the server of the backup's target, or of the target that its option 'drillOn' names; without its target a backup can be verified at level structure, or restored into a new database",
      },
    )
  }
  // the database that the URL names has no part in it, and may not even be there
  const connection = { ...parseMysqlUrl(scratchUrl), database: null }
  return { parts: { ...parts, connection }, operationId, name: ownName('drill', operationId) }
}

/** Looks at the server, and removes what an earlier attempt of the same operation left there. */
async function begin(scratch: OwnSchema, contents: Contents, signal: AbortSignal): Promise<Outset> {
  const outset = await withSession(scratch.parts.connection, null, signal, async (session) => {
    const findings = await findNeedsOfDrill(session, contents)
    requireNothingMissing('drilled on this server', findings, OTHER_SERVER)
    return { server: session.server, notes: findings.warnings }
  })
  await clearOwnSchema(scratch, signal)
  return outset
}

/** Whose programs are does not matter for a copy that nobody will work with, and the accounts may not be there. */
async function load(
  { parts, name }: OwnSchema,
  { file }: CheckRequest,
  contents: Contents,
  progress: StageProgress,
  signal: AbortSignal,
): Promise<void> {
  const { connection, toolbox } = parts
  const tools = await withSession(connection, null, signal, ({ server }) => toolbox.toolsFor(server))
  // what a lost worker leaves in there goes with the dump
  const place = { connection, tools, directory: dirname(file), schema: name, path: file }
  const onBytes = progress.loadedScript
  await loadDump({ ...place, contents, onBytes }, signal)
}
