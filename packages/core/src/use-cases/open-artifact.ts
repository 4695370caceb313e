import type { Readable } from 'node:stream'
import type { Backup } from '../domain/backup.ts'
import { isUsable } from '../domain/backup.ts'
import type { Artifact, Manifest } from '../domain/manifest.ts'
import { AppError } from '../errors.ts'
import type { WorkDeps } from '../ports/work.ts'
import { artifactKeyOf, readManifest, requireArtifact } from './stored-backup.ts'

type OpenDeps = Pick<WorkDeps, 'catalog' | 'storages' | 'signer'>

/** The checked manifest of a backup. */
export async function loadManifest(deps: OpenDeps, idOrName: string, signal: AbortSignal): Promise<Manifest> {
  const backup = await usableBackup(deps, idOrName)
  return readManifest(await deps.storages.byName(backup.storage), deps.signer, backup, signal)
}

/** Streams a stored artifact as it lies in the storage, for downloads. */
export async function openArtifact(
  deps: OpenDeps,
  idOrName: string,
  role: Artifact['role'],
  signal: AbortSignal,
): Promise<{ readonly stream: Readable; readonly artifact: Artifact; readonly manifest: Manifest }> {
  const backup = await usableBackup(deps, idOrName)
  const storage = await deps.storages.byName(backup.storage)
  const manifest = await readManifest(storage, deps.signer, backup, signal)
  const artifact = requireArtifact(manifest, role)
  const stream = await storage.get(artifactKeyOf(manifest, artifact), signal)
  return { stream, artifact, manifest }
}

async function usableBackup(deps: OpenDeps, idOrName: string): Promise<Backup> {
  const backup = await deps.catalog.backups.get(idOrName)
  if (isUsable(backup)) return backup
  throw new AppError('BACKUP_NOT_USABLE', `backup ${backup.id} is ${backup.status}`, {
    hint: 'only completed backups can be read; see its error and its last verification',
  })
}
