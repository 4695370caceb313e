import { AppError } from '../errors.ts'
import { isUuid, requireName } from './names.ts'
import type { Compression } from './target.ts'

// Where everything of a backup lies in a storage: the on-storage format, version 1 (docs/backup-format.md).

const EXTENSION: Record<Compression, string> = { zstd: '.zst', gzip: '.gz', none: '' }

/** Folder of a backup, with its `/` at the end. Throws INVALID_REQUEST for what is no target name or backup id. */
export function backupPrefix(target: string, id: string): string {
  if (!isUuid(id)) throw new AppError('INVALID_REQUEST', 'a backup id is not a UUID')
  return `${requireName('target', target)}/${id}/`
}

/** Key of an artifact, by the name that its manifest gives. */
export function artifactKey(target: string, id: string, name: string): string {
  if (!ARTIFACT_NAME.test(name)) throw new AppError('INVALID_REQUEST', 'not the name of an artifact')
  return `${backupPrefix(target, id)}${name}`
}

/** Key of the manifest, whose presence is the commit. */
export function manifestKey(target: string, id: string): string {
  return `${backupPrefix(target, id)}manifest.json`
}

/** Key of the commands that restore this backup with standard tools alone. */
export function restoreNotesKey(target: string, id: string): string {
  return `${backupPrefix(target, id)}RESTORE.md`
}

/** Key of what people may change: pinned, labels, note, retain. */
export function stateKey(target: string, id: string): string {
  return `${backupPrefix(target, id)}state.json`
}

/** Small artifacts beside a dump: what the database is set to, what is in it, and what belongs to its server. */
export const ATTACHMENT_ROLES = ['settings', 'contents', 'globals'] as const
export type AttachmentRole = (typeof ATTACHMENT_ROLES)[number]

/** All artifacts that a backup may have, each at most once: the dump, included directories, attachments. */
export const ARTIFACT_ROLES = ['data', 'files', ...ATTACHMENT_ROLES] as const
export type ArtifactRole = (typeof ARTIFACT_ROLES)[number]

/** What names of artifacts look like. */
export const ARTIFACT_NAME_PATTERN = `^(${ARTIFACT_ROLES.join('|')})-[0-9]{1,16}\\.[a-z0-9]+(\\.[a-z0-9]+)*$`
const ARTIFACT_NAME = new RegExp(ARTIFACT_NAME_PATTERN)

/** Object name of an artifact: `data-41.sqlite.zst`. The fence keeps two workers from writing the same object. */
export function artifactName(
  role: ArtifactRole,
  fence: number,
  extension: string,
  codec: Compression,
): string {
  const name = `${role}-${fence}.${extension}${EXTENSION[codec]}`
  if (!ARTIFACT_NAME.test(name)) throw new AppError('INVALID_REQUEST', 'not the name of an artifact')
  return name
}

const LONGEST_KEY = 1024
const LONGEST_SEGMENT = 255
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/**
 * Returns the key, or throws INVALID_REQUEST. Keys are few enough characters to mean the same on every kind of
 * storage; no segment begins with a dot, so that a storage may keep files of its own.
 */
export function requireKey(key: string): string {
  if (key.length <= LONGEST_KEY && key.split('/').every(isSegment)) return key
  throw new AppError('INVALID_REQUEST', 'not a valid key of a stored object')
}

/** Like {@link requireKey} for a folder: empty for all, with or without a `/` at the end. Returns it without. */
export function requireFolder(prefix: string): string {
  return prefix === '' ? '' : requireKey(prefix.replace(/\/$/, ''))
}

function isSegment(segment: string): boolean {
  return segment.length <= LONGEST_SEGMENT && SEGMENT.test(segment)
}
