import { realpath } from 'node:fs/promises'
import { dirname, sep } from 'node:path'
import { AppError } from '../errors.ts'

/** What Holdfast keeps in its data directory: secrets and work in progress. Anything else there is the user's. */
const OWN_NAMES = [
  'catalog.db',
  'catalog.db-journal',
  'catalog.db-shm',
  'catalog.db-wal',
  'master.key',
  'quickstart.key',
  'redis',
  'service.log',
  'storage',
  'tmp',
]

/** Where Holdfast keeps what is its own. */
export interface OwnPlaces {
  readonly dataDir: string
  readonly storageRoot: string
}

/** The places by the scratch directory in one of them and the folder of any backup in the other. */
export async function ownPlaces(scratchDir: string, backupFolder: string): Promise<OwnPlaces> {
  // the folder of a backup lies two levels below the root of its storage
  const [dataDir, storageRoot] = await Promise.all([
    resolved(dirname(scratchDir)),
    resolved(dirname(dirname(backupFolder))),
  ])
  return { dataDir, storageRoot }
}

/** Rejects a path (links followed) that is, or lies in, what Holdfast keeps secrets or backups in. */
export function requireNotOwn(path: string, { dataDir, storageRoot }: OwnPlaces): void {
  const own = [storageRoot, ...OWN_NAMES.map((name) => `${dataDir}/${name}`)]
  if (path !== dataDir && !own.some((place) => holds(place, path))) return
  throw new AppError('PATH_NOT_ALLOWED', `${path} is where Holdfast keeps keys, its catalog or backups`, {
    hint: 'name a place of your own',
  })
}

/** Rejects a place (links followed) where a restored directory would move what is ours out of the way. */
export function requireNothingOwnIn(path: string, places: OwnPlaces): void {
  requireNotOwn(path, places)
  if (!holds(path, places.dataDir) && !holds(path, places.storageRoot)) return
  throw new AppError('PATH_NOT_ALLOWED', `${path} holds the data directory or the backups`, {
    hint: "restored directories replace what was there: name another place with 'filesInto'",
  })
}

/** True if `inner` is `outer` or lies in it. */
export function holds(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`)
}

function resolved(path: string): Promise<string> {
  return realpath(path).catch(() => path)
}
