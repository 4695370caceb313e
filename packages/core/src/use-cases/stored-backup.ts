import type { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { Backup } from '../domain/backup.ts'
import type { Artifact, Manifest } from '../domain/manifest.ts'
import { MAX_MANIFEST_BYTES, parseManifest } from '../domain/manifest.ts'
import type { AttachmentRole } from '../domain/object-keys.ts'
import { ATTACHMENT_ROLES, backupPrefix, manifestKey } from '../domain/object-keys.ts'
import { AppError, hasCode } from '../errors.ts'
import { decode } from '../pipeline/decode.ts'
import type { Attachment, DumpDescription } from '../ports/driver.ts'
import type { ManifestSigner } from '../ports/seal.ts'
import type { Storage } from '../ports/storage.ts'

/**
 * Reads and checks the manifest of a backup: signature, schema, and that it says what the catalog knows.
 * Rejects with MANIFEST_MISSING, MANIFEST_INVALID, MANIFEST_UNSUPPORTED or MANIFEST_UNTRUSTED.
 */
export async function readManifest(
  storage: Storage,
  signer: ManifestSigner,
  backup: Pick<Backup, 'id' | 'target' | 'facts'>,
  signal: AbortSignal,
): Promise<Manifest> {
  return (await readManifestAsStored(storage, signer, backup, signal)).manifest
}

/** The manifest, and the very text that is stored: whoever checks its signature needs every byte. */
export async function readManifestAsStored(
  storage: Storage,
  signer: ManifestSigner,
  backup: Pick<Backup, 'id' | 'target' | 'facts'>,
  signal: AbortSignal,
): Promise<{ readonly manifest: Manifest; readonly text: string }> {
  const bytes = await readSmallObject(storage, manifestKey(backup.target, backup.id), signal)
  if (bytes === null) {
    throw new AppError('MANIFEST_MISSING', `backup ${backup.id} has no manifest in the storage`, {
      hint: 'the storage was changed by other hands, or it is not the one that the backup was written to',
    })
  }
  const manifest = parseManifest(bytes, signer, { id: backup.id, target: backup.target })
  if (backup.facts !== null && manifest.checksum !== backup.facts.checksum) {
    throw new AppError(
      'MANIFEST_INVALID',
      `the manifest of backup ${backup.id} describes other data than the catalog`,
    )
  }
  return { manifest, text: Buffer.from(bytes).toString('utf8') }
}

/** The manifest if there is one that can be trusted; null if there is none or it is bad. */
export async function findManifest(
  storage: Storage,
  signer: ManifestSigner,
  backup: Pick<Backup, 'id' | 'target' | 'facts'>,
  signal: AbortSignal,
): Promise<Manifest | null> {
  try {
    return await readManifest(storage, signer, backup, signal)
  } catch (error) {
    const bad = [
      'MANIFEST_MISSING',
      'MANIFEST_INVALID',
      'MANIFEST_UNTRUSTED',
      'MANIFEST_UNSUPPORTED',
    ] as const
    if (bad.some((code) => hasCode(error, code))) return null
    throw error
  }
}

/** The part of a manifest that says what is stored and what it holds; known before the backup is complete. */
export type StoredDump = Pick<
  Manifest,
  | 'id'
  | 'target'
  | 'engine'
  | 'mode'
  | 'format'
  | 'sizeBytes'
  | 'counting'
  | 'rowCounts'
  | 'storedBytes'
  | 'serverVersion'
  | 'toolVersion'
  | 'engineDetails'
  | 'artifacts'
>

/** Of one attachment: they are texts about a database, not its data. */
const MAX_ATTACHMENT_BYTES = 64 * 1024 * 1024

/** What a driver must know of a stored dump to check or restore it; its attachments are read, and proven, here. */
export async function describeDump(
  storage: Storage,
  dump: StoredDump,
  signal: AbortSignal,
): Promise<DumpDescription> {
  const { mode, format, sizeBytes, counting, rowCounts, serverVersion, toolVersion } = dump
  const attachments: Attachment[] = []
  for (const role of ATTACHMENT_ROLES) {
    const artifact = dump.artifacts.find((candidate) => candidate.role === role)
    if (artifact !== undefined)
      attachments.push(await readAttachment(storage, dump, { ...artifact, role }, signal))
  }
  const facts = { mode, format, sizeBytes, counting, rowCounts, serverVersion, toolVersion }
  return { ...facts, details: dump.engineDetails, attachments }
}

async function readAttachment(
  storage: Storage,
  dump: StoredDump,
  artifact: Artifact & { readonly role: AttachmentRole },
  signal: AbortSignal,
): Promise<Attachment> {
  if (artifact.sizeBytes > MAX_ATTACHMENT_BYTES) {
    throw new AppError('MANIFEST_INVALID', `the artifact ${artifact.name} is larger than any of its kind`)
  }
  const content = await text(await openPlain(storage, dump, artifact, signal))
  const format = artifact.name.split('.')[1] ?? ''
  return { role: artifact.role, format, content }
}

/** The dump itself. Every manifest has exactly one: its schema says so. */
export function dataArtifact(manifest: StoredDump): Artifact {
  return requireArtifact(manifest, 'data')
}

/** An artifact by role; rejects with OBJECT_NOT_FOUND for a backup without it. */
export function requireArtifact(
  manifest: Pick<Manifest, 'id' | 'artifacts'>,
  role: Artifact['role'],
): Artifact {
  const artifact = manifest.artifacts.find((candidate) => candidate.role === role)
  if (artifact) return artifact
  throw new AppError('OBJECT_NOT_FOUND', `backup ${manifest.id} has no ${role} artifact`, {
    hint: `it has these: ${manifest.artifacts.map((there) => there.role).join(', ')}`,
  })
}

/** Key of an artifact in its storage. */
export function artifactKeyOf(
  manifest: Pick<Manifest, 'target' | 'id'>,
  artifact: Pick<Artifact, 'name'>,
): string {
  return `${backupPrefix(manifest.target, manifest.id)}${artifact.name}`
}

/** Plain bytes of an artifact; the stream fails with ARTIFACT_CORRUPT unless every byte is the one written. */
export async function openPlain(
  storage: Storage,
  manifest: Pick<Manifest, 'target' | 'id'>,
  artifact: Artifact,
  signal: AbortSignal,
): Promise<Readable> {
  const stored = await openStored(storage, artifactKeyOf(manifest, artifact), signal)
  return decode(stored, artifact.codec, artifact, { signal })
}

/** A missing artifact of a backup is damage, not a wrong question. */
async function openStored(storage: Storage, key: string, signal: AbortSignal): Promise<Readable> {
  try {
    return await storage.get(key, signal)
  } catch (error) {
    if (!hasCode(error, 'OBJECT_NOT_FOUND')) throw error
    throw new AppError('ARTIFACT_CORRUPT', `the artifact ${key} is missing from the storage`, {
      cause: error,
    })
  }
}

/** Removes everything of a backup: the manifest first, so that a half removed backup is none. Returns the bytes. */
export async function removeObjects(storage: Storage, target: string, backupId: string): Promise<number> {
  const manifest = manifestKey(target, backupId)
  let bytesFreed = (await storage.stat(manifest))?.sizeBytes ?? 0
  await storage.delete(manifest)
  for await (const object of storage.list(backupPrefix(target, backupId))) {
    await storage.delete(object.key)
    bytesFreed += object.sizeBytes
  }
  return bytesFreed
}

async function readSmallObject(storage: Storage, key: string, signal: AbortSignal): Promise<Buffer | null> {
  const found = await storage.stat(key)
  if (found === null) return null
  if (found.sizeBytes > MAX_MANIFEST_BYTES)
    throw new AppError('MANIFEST_INVALID', `the manifest ${key} is too large`)
  try {
    return await buffer(await storage.get(key, signal))
  } catch (error) {
    if (hasCode(error, 'OBJECT_NOT_FOUND')) return null
    throw error
  }
}
