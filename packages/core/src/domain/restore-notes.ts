import type { StoredPart, StoredParts } from '../ports/driver-factory.ts'
import type { Artifact, UnsignedManifest } from './manifest.ts'
import { outputHasSha256, shellBlock } from './shell-commands.ts'
import type { Compression } from './target.ts'

// Writes to standard output what an artifact holds.
const UNPACK: Record<Compression, string> = { zstd: 'zstd -d -q -c', gzip: 'gzip -d -c', none: 'cat' }
const PROGRAM: Record<Compression, string | null> = { zstd: '`zstd`', gzip: '`gzip`', none: null }

type Described = Pick<
  UnsignedManifest,
  | 'id'
  | 'target'
  | 'mode'
  | 'format'
  | 'consistentAt'
  | 'serverVersion'
  | 'toolVersion'
  | 'engineDetails'
  | 'artifacts'
>

/**
 * The text of RESTORE.md: commands that restore this backup with standard tools, without this program. What loads a
 * dump is said by its engine. Nothing in it comes from users but the target's name, which is restricted, and what the
 * engine found on its server: paths and names of databases are given in the environment.
 */
export function restoreNotes(manifest: Described, restoreSteps: (parts: StoredParts) => string): string {
  const files = manifest.artifacts.find((artifact) => artifact.role === 'files')
  const parts = partsOf(manifest)
  const sections = [
    introduction(manifest),
    checkStored(manifest.artifacts),
    ...(parts ? [restoreSteps(parts)] : []),
    ...(files ? [restoreFiles(files)] : []),
  ]
  return `${sections.join('\n\n')}\n`
}

function introduction({ id, target, mode, consistentAt, artifacts }: Described): string {
  const programs = ['`sha256sum`', ...new Set(artifacts.flatMap(({ codec }) => PROGRAM[codec] ?? []))]
  return `# Restoring backup ${id}

A ${mode} backup of \`${target}\`, showing it as it was at ${consistentAt}. \`manifest.json\` describes it completely.

The commands below restore it without Holdfast. They need a POSIX shell and ${programs.join(', ')}, and the programs
named in each step. Run them in this folder, or in a copy of it, one block after the other in the same shell. Each
block prints a line that begins with \`OK\` at its end: **if it does not, stop there.**`
}

function checkStored(artifacts: readonly Artifact[]): string {
  return `## 1. Check what is stored

${shellBlock(`sha256sum -c <<'END' && echo 'OK, these are the bytes that were written'
${artifacts.map((artifact) => `${artifact.storedSha256}  ${artifact.name}`).join('\n')}
END`)}`
}

/** Null for a backup without a dump, which no manifest describes. */
function partsOf({
  artifacts,
  engineDetails,
  format,
  serverVersion,
  toolVersion,
}: Described): StoredParts | null {
  const part = (role: Artifact['role']) => {
    const artifact = artifacts.find((candidate) => candidate.role === role)
    return artifact === undefined ? null : partOf(artifact)
  }
  const data = part('data')
  if (data === null) return null
  const attachments = { settings: part('settings'), contents: part('contents'), globals: part('globals') }
  return { format, serverVersion, toolVersion, details: engineDetails, data, attachments }
}

function partOf({ name, codec, sizeBytes, sha256 }: Artifact): StoredPart {
  return { command: `${UNPACK[codec]} ${name}`, sizeBytes, sha256 }
}

function restoreFiles(files: Artifact): string {
  const { command, sha256 } = partOf(files)
  return `## Included directories

${files.fileCount ?? 0} files. Set \`FILES\` to the absolute path of a new directory. Each included directory becomes
one folder in it; \`include\` in \`manifest.json\` says where each came from.

${shellBlock(`: "\${FILES:?set it to the path of a new directory}" &&
${outputHasSha256(command, sha256)} &&
mkdir -p -- "$FILES" &&
${command} | tar -x -p -f - -C "$FILES" &&
echo 'OK, the files are restored'`)}`
}
