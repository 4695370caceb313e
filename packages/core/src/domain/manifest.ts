import type { Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { AppError } from '../errors.ts'
import type { ManifestSigner } from '../ports/seal.ts'
import type { BackupFacts, BackupKind, BackupMode, Verification } from './backup.ts'
import { canonicalJson } from './canonical-json.ts'
import { ManifestSchema } from './manifest-schema.ts'
import type { ArtifactRole } from './object-keys.ts'
import type { Compression } from './target.ts'

/** Larger manifests are refused unread. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024
const FORMAT_VERSION = 1

/** One stored object of a backup. */
export interface Artifact {
  readonly role: ArtifactRole
  /** Name of the object in the backup's folder. */
  readonly name: string
  readonly codec: Compression
  readonly cipher: 'none'
  readonly sizeBytes: number
  /** SHA-256 (hex) of the plain bytes. */
  readonly sha256: string
  readonly storedBytes: number
  readonly storedSha256: string
  /** Regular files and symbolic links in it; only for `files`. */
  readonly fileCount?: number
}

/** An included directory, and the top-level folder that it has in the tar. */
export interface IncludedDirectory {
  readonly directory: string
  readonly as: string
}

/** Describes a backup completely; version 1 of the storage format. It holds no secret. */
export interface UnsignedManifest extends BackupFacts {
  readonly formatVersion: 1
  readonly id: string
  readonly name: string | null
  readonly target: string
  readonly engine: string
  readonly mode: BackupMode
  readonly kind: BackupKind
  readonly parentId: string | null
  readonly database: string | null
  readonly groupId: string | null
  readonly catalogId: string
  readonly storageId: string
  readonly environment: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly note: string | null
  readonly retain: string | null
  readonly requestedBy: string
  readonly compression: Compression
  readonly encryption: 'none'
  readonly createdAt: string
  readonly startedAt: string
  /** Number of the lock under which it was written. */
  readonly fence: number
  readonly verification: Verification
  readonly include: readonly IncludedDirectory[]
  readonly artifacts: readonly Artifact[]
}

/** A manifest as it lies in storage. */
export interface Manifest extends UnsignedManifest {
  /** Ed25519 over the canonical JSON of everything but this field. */
  readonly signature: { readonly keyId: string; readonly algorithm: 'ed25519'; readonly value: string }
}

/** Which backup a manifest must be of: the one in whose folder it lies. */
export interface ExpectedManifest {
  readonly id: string
  readonly target: string
}

const validator = Compile(ManifestSchema)
type WrittenManifest = Static<typeof ManifestSchema>

/** What manifests of the first release do not say. */
const EARLIER = { counting: 'exact', database: null, groupId: null } as const

/** The bytes to store: pretty-printed UTF-8. Throws MANIFEST_INVALID for what {@link parseManifest} would refuse. */
export function signManifest(unsigned: UnsignedManifest, signer: ManifestSigner): Uint8Array {
  const value = signer.sign(signedBytes(unsigned))
  const signature = { keyId: signer.keyId, algorithm: 'ed25519', value }
  const bytes = Buffer.from(layOut({ ...unsigned, signature }))
  parseManifest(bytes, signer, unsigned)
  return bytes
}

/**
 * Reads a manifest that anybody may have written. Throws MANIFEST_INVALID (not one, changed, or another backup's),
 * MANIFEST_UNSUPPORTED (of a later format version) or MANIFEST_UNTRUSTED (not signed by the signer's key). Fields
 * that this version does not know are allowed, as they are signed too.
 */
export function parseManifest(
  bytes: Uint8Array,
  signer: ManifestSigner,
  expected?: ExpectedManifest,
): Manifest {
  const { text, value } = parseJson(bytes)
  requireVersion(value)
  if (!validator.Check(value)) throw invalid(firstFault(value))
  requireArtifacts(value.artifacts)
  requireLayout(text, value)
  requireSignature(value, signer)
  if (expected && (value.id !== expected.id || value.target !== expected.target)) {
    throw invalid(`it is of backup ${value.id} of ${value.target}, not of the backup in whose folder it lies`)
  }
  return { ...EARLIER, ...value }
}

function parseJson(bytes: Uint8Array): { readonly text: string; readonly value: unknown } {
  if (bytes.length > MAX_MANIFEST_BYTES) throw invalid(`it is larger than ${MAX_MANIFEST_BYTES} bytes`)
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return { text, value: JSON.parse(text) }
  } catch (cause) {
    throw invalid('it is not JSON in UTF-8', cause)
  }
}

/** Comes before the schema: nobody knows what a later version looks like. */
function requireVersion(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('formatVersion' in value))
    throw invalid('it has no version')
  const version = value.formatVersion
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1)
    throw invalid('it has no version')
  if (version === FORMAT_VERSION) return
  throw new AppError(
    'MANIFEST_UNSUPPORTED',
    `a manifest is of format version ${version}, which this release cannot read`,
    {
      hint: `this release reads version ${FORMAT_VERSION}: use the release that wrote the backup, or a later one`,
    },
  )
}

function firstFault(value: unknown): string {
  const path = validator.Errors(value)[0]?.instancePath ?? ''
  return `its field ${path === '' ? '(top)' : path.slice(0, 100)} is missing or not as it must be`
}

function requireArtifacts(artifacts: readonly Pick<Artifact, 'role' | 'name'>[]): void {
  const roles = new Set(artifacts.map((artifact) => artifact.role))
  if (roles.size !== artifacts.length || !roles.has('data'))
    throw invalid('it needs one artifact of each role')
  const wrong = artifacts.find((artifact) => !artifact.name.startsWith(`${artifact.role}-`))
  if (wrong) throw invalid(`its artifact ${wrong.name} has the role ${wrong.role}`)
}

/**
 * Only the layout that we write is read: so that every changed bit is seen, also one that leaves the meaning as it
 * is, such as the case of a digit in an escape.
 */
function requireLayout(text: string, value: object): void {
  try {
    canonicalJson(value)
  } catch (cause) {
    throw invalid('it holds what JSON cannot say exactly', cause)
  }
  if (text !== layOut(value)) throw invalid('its layout is not the one in which manifests are written')
}

function requireSignature(value: WrittenManifest, signer: ManifestSigner): void {
  const { keyId, value: signature } = value.signature
  if (isExactBase64(signature) && signer.verify(keyId, signedBytes(value), signature)) return
  const other = keyId !== signer.keyId
  throw new AppError(
    'MANIFEST_UNTRUSTED',
    `the signature of a manifest could not be confirmed (key ${keyId})`,
    {
      hint: other
        ? `it names the key ${keyId}, this installation has ${signer.keyId}: give the verification key of the installation that wrote the backup; the data may well be sound`
        : 'it names our key but does not fit: the manifest was changed after it was written',
    },
  )
}

function signedBytes(manifest: object): Uint8Array {
  const { signature: _, ...rest } = { signature: null, ...manifest }
  return Buffer.from(canonicalJson(rest))
}

function layOut(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Decoders ignore the spare bits of the last character; a signature has one spelling here. */
function isExactBase64(text: string): boolean {
  return (['base64', 'base64url'] as const).some((kind) => Buffer.from(text, kind).toString(kind) === text)
}

function invalid(what: string, cause?: unknown): AppError {
  return new AppError('MANIFEST_INVALID', `a manifest is not valid: ${what}`, {
    hint: 'restore the manifest from another copy of the storage; the artifacts beside it may be sound (RESTORE.md says how to use them)',
    cause,
  })
}
