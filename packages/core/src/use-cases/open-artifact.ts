import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Backup } from '../domain/backup.ts'
import { isUsable } from '../domain/backup.ts'
import type { Artifact, Manifest } from '../domain/manifest.ts'
import { AppError } from '../errors.ts'
import { ProvenBytes } from '../pipeline/proven-bytes.ts'
import type { WorkDeps } from '../ports/work.ts'
import { artifactKeyOf, readManifest, readManifestAsStored, requireArtifact } from './stored-backup.ts'

type OpenDeps = Pick<WorkDeps, 'catalog' | 'storages' | 'signer'>

/** The checked manifest of a backup. */
export async function loadManifest(deps: OpenDeps, idOrName: string, signal: AbortSignal): Promise<Manifest> {
  const backup = await usableBackup(deps, idOrName)
  return readManifest(await deps.storages.byName(backup.storage), deps.signer, backup, signal)
}

/** The same as it lies in the storage, byte for byte. */
export async function loadManifestText(
  deps: OpenDeps,
  idOrName: string,
  signal: AbortSignal,
): Promise<string> {
  const backup = await usableBackup(deps, idOrName)
  const storage = await deps.storages.byName(backup.storage)
  return (await readManifestAsStored(storage, deps.signer, backup, signal)).text
}

/**
 * Streams a stored artifact as it lies in the storage, for downloads. The stream fails with ARTIFACT_CORRUPT, before
 * its last byte, unless every byte is the one that was written.
 */
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
  const key = artifactKeyOf(manifest, artifact)
  const found = await storage.stat(key)
  if (found?.sizeBytes !== artifact.storedBytes) {
    throw new AppError(
      'ARTIFACT_CORRUPT',
      `the ${role} artifact of backup ${backup.id} is missing or cut short`,
      {
        hint: 'verify the backup; use another one meanwhile',
      },
    )
  }
  const stored = await storage.get(key, signal)
  const stream = new ProvenBytes({ sizeBytes: artifact.storedBytes, sha256: artifact.storedSha256 })
  // whoever reads the stream learns of every failure
  pipeline(stored, stream, { signal }).catch(() => {})
  return { stream, artifact, manifest }
}

async function usableBackup(deps: OpenDeps, idOrName: string): Promise<Backup> {
  const backup = await deps.catalog.backups.get(idOrName)
  if (isUsable(backup)) return backup
  throw new AppError('BACKUP_NOT_USABLE', `backup ${backup.id} is ${backup.status}`, {
    hint: 'only completed backups can be read; see its error and its last verification',
  })
}
