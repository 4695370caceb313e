import type { Readable } from 'node:stream'
import type { StageRequest } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import { ownName } from '../../client-server/own-names.ts'
import { receiveDump } from '../../client-server/receive-dump.ts'
import { StageProgress } from '../../client-server/stage-progress.ts'
import { readContents } from '../contents/contents-file.ts'
import type { PostgresParts } from '../postgres-parts.ts'
import { postgresLockKey } from '../postgres-url.ts'
import { openArchive } from './archive.ts'
import { endLeftovers } from './change-names.ts'
import { dropOwnDatabase } from './drop-database.ts'
import { keepForSwap } from './in-place.ts'
import { findDatabase, isOccupied } from './inspect-destination.ts'
import type { ServerAccess } from './maintenance.ts'
import { openAnywhere, withSession } from './maintenance.ts'
import { serverIdentity } from './server-identity.ts'
import { stageShadow } from './stage-shadow.ts'
import type { StagedFile, StagedShadow } from './tickets.ts'
import { rightsOf } from './user-rights.ts'

/** What is known of the server before anything is fetched for it. */
interface Outset {
  readonly server: string
  readonly serverVersion: number
  readonly found: StagedShadow['found']
  /** Of the destination. */
  readonly oid: number | null
  readonly canCreateDatabases: boolean
}

/** Brings a dump next to the destination: loaded and verified, and not visible yet under its name. */
export async function stage(
  parts: PostgresParts,
  access: ServerAccess,
  request: StageRequest,
  source: Readable,
  signal: AbortSignal,
): Promise<StagedShadow | StagedFile> {
  const { operationId, dump, options, scratchDir, onProgress } = request
  const name = ownName('new', operationId)
  const contents = readContents(dump.attachments)
  const outset = await begin(access, name, signal)
  const { server, serverVersion, found } = outset
  if (!outset.canCreateDatabases) requireEmpty(access, outset)
  const tools = await parts.toolbox.toolsFor(serverVersion)
  const progress = new StageProgress(dump.sizeBytes, onProgress)
  const { format, sizeBytes } = dump
  const incoming = { directory: scratchDir, format, sizeBytes, onBytes: progress.received }
  const path = await receiveDump(incoming, source, signal)
  const archive = await openArchive(tools, dump, path, signal)
  const { keepOwners } = options
  const place = postgresLockKey(access.connection)
  if (!outset.canCreateDatabases) {
    const countsDigest = await keepForSwap(parts, { operationId, dump, contents, keepOwners, path }, signal)
    progress.done()
    return { kind: 'in-place', operationId, place, server, destinationOid: outset.oid ?? 0, countsDigest }
  }
  const shadow = { parts, access, name, archive, dump, contents, keepOwners, tools, progress }
  const stagedOid = await stageShadow(shadow, signal)
  progress.done()
  const { connectionLimit } = contents.database
  return { kind: 'shadow', operationId, place, server, stagedOid, connectionLimit, found }
}

/** Removes what an earlier attempt left, and looks at the destination. */
async function begin(access: ServerAccess, name: string, signal: AbortSignal): Promise<Outset> {
  return withSession(openAnywhere(access, signal), async (session) => {
    await endLeftovers(session, access.applicationName)
    await dropOwnDatabase(access, session, name, null, signal)
    const database = await findDatabase(session, access.destination)
    const server = await serverIdentity(session)
    const { canCreateDatabases } = await rightsOf(session)
    const known = { server, serverVersion: session.serverVersion, canCreateDatabases }
    if (database === null) return { ...known, found: 'nothing', oid: null }
    const isFull = await isOccupied(access, database.name, signal)
    return { ...known, found: isFull ? 'data' : 'empty', oid: database.oid }
  })
}

/** Without the right to create databases the dump can go nowhere else. */
function requireEmpty({ destination }: ServerAccess, { found }: Outset): void {
  if (found === 'empty') return
  const what = found === 'nothing' ? 'does not exist' : 'is not empty'
  throw new AppError(
    'RESTORE_NOT_POSSIBLE',
    `the user may not create databases, and ${destination} ${what}`,
    {
      hint: 'give the user CREATEDB, or name a database that exists and is empty',
    },
  )
}
