import type { Readable } from 'node:stream'
import type { RestoreOptions, StageRequest, StageTicket } from '@holdfast/core'
import { throwIfAborted } from '@holdfast/core'
import { receiveDump } from '../../client-server/receive-dump.ts'
import { StageProgress } from '../../client-server/stage-progress.ts'
import type { Contents } from '../contents/contents-file.ts'
import { readContents } from '../contents/contents-file.ts'
import type { MysqlParts } from '../mysql-parts.ts'
import { mysqlLockKey } from '../mysql-url.ts'
import { ownName } from '../own-names.ts'
import type { DefinerChoice } from '../schema/program-statements.ts'
import type { Session } from '../session.ts'
import { sealStaged } from '../swap/seal-staged.ts'
import type { Found } from '../swap/tickets.ts'
import { giveDefiners } from './give-definers.ts'
import { findSchema, isOccupied } from './inspect-destination.ts'
import { loadDump } from './load-dump.ts'
import type { OwnSchema } from './own-schema.ts'
import { clearOwnSchema, makeOwnSchema } from './own-schema.ts'
import { requireFormat } from './preflight.ts'
import { destinationOf, withSession } from './server-access.ts'
import { requireSameContents } from './verify-copy.ts'

/**
 * Brings a dump next to the destination: loaded into a schema of its own without its events, compared with what its
 * source had, and not visible yet under its name. On any failure nothing is left of it, as far as the server can be
 * reached.
 */
export async function stage(
  parts: MysqlParts,
  request: StageRequest,
  source: Readable,
  signal: AbortSignal,
): Promise<StageTicket> {
  try {
    throwIfAborted(signal)
    requireFormat(request.dump.format)
    return await stageInto(parts, destinationOf(parts.connection), request, source, signal)
  } finally {
    // whoever produces the bytes must not wait for a reader that will never come
    source.destroy()
  }
}

async function stageInto(
  parts: MysqlParts,
  destination: string,
  request: StageRequest,
  source: Readable,
  signal: AbortSignal,
): Promise<StageTicket> {
  const { operationId, dump, options, scratchDir } = request
  const contents = readContents(dump.attachments)
  const shadow: OwnSchema = { parts, operationId, name: ownName('new', operationId) }
  await clearOwnSchema(shadow, signal)
  const found = await foundAt(parts, destination, signal)
  const progress = new StageProgress(dump.sizeBytes, request.onProgress)
  const incoming = {
    ...{ directory: scratchDir, format: dump.format },
    ...{ sizeBytes: dump.sizeBytes, onBytes: progress.received },
  }
  // its bytes are known to be right before anything is created
  const path = await receiveDump(incoming, source, signal)
  const ticket = await makeOwnSchema(
    shadow,
    contents,
    async (session, watched) => {
      await fill(shadow, request, contents, { session, path, progress }, watched)
      const definer = definerOf(options)
      const place = mysqlLockKey(parts.connection)
      const events = contents.programs.filter(({ kind }) => kind === 'event')
      return sealStaged(session, { operationId, place, found, events, eventsFrom: contents.schema, definer })
    },
    signal,
  )
  progress.done()
  return ticket
}

async function foundAt(parts: MysqlParts, destination: string, signal: AbortSignal): Promise<Found> {
  return withSession(parts.connection, null, signal, async (session) => {
    const schema = await findSchema(session, destination)
    if (schema === null) return 'nothing'
    return isOccupied(schema) ? 'data' : 'empty'
  })
}

/** What a shadow is filled with, and by what. */
interface Filling {
  readonly session: Session
  readonly path: string
  readonly progress: StageProgress
}

async function fill(
  { parts, name, operationId }: OwnSchema,
  { options, scratchDir }: StageRequest,
  contents: Contents,
  { session, path, progress }: Filling,
  signal: AbortSignal,
): Promise<void> {
  const { connection, toolbox } = parts
  const tools = await toolbox.toolsFor(session.server)
  const onBytes = progress.loadedScript
  const place = { connection, tools, directory: scratchDir, schema: name, path }
  await loadDump({ ...place, contents, onBytes }, signal)
  await requireSameContents({ parts, operationId, name }, contents, signal)
  // views of definers without rights here are printed in another way, so that nothing could be compared afterwards
  await giveDefiners(connection, name, { contents, definer: definerOf(options) }, signal)
}

function definerOf({ keepOwners, definer }: RestoreOptions): DefinerChoice {
  if (!keepOwners) return 'current'
  return definer === null ? 'keep' : { account: definer }
}
