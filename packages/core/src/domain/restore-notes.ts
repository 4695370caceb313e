import type { Artifact, UnsignedManifest } from './manifest.ts'
import type { Compression } from './target.ts'

// Writes to standard output what an artifact holds.
const UNPACK: Record<Compression, string> = { zstd: 'zstd -d -q -c', gzip: 'gzip -d -c', none: 'cat' }
const PROGRAM: Record<Compression, string | null> = { zstd: '`zstd`', gzip: '`gzip`', none: null }

type Described = Pick<UnsignedManifest, 'id' | 'target' | 'mode' | 'format' | 'consistentAt' | 'artifacts'>

/**
 * The text of RESTORE.md: commands that restore this backup with standard tools, without this program. Nothing in
 * it comes from users but the target's name, which is restricted: paths are given in the environment.
 */
export function restoreNotes(manifest: Described): string {
  const { artifacts } = manifest
  const data = artifacts.find((artifact) => artifact.role === 'data')
  const files = artifacts.find((artifact) => artifact.role === 'files')
  const sections = [
    introduction(manifest),
    checkStored(artifacts),
    ...(data ? [manifest.format === 'sqlite' ? restoreSqlite(data) : unpackDump(data, manifest.format)] : []),
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

${shell(`sha256sum -c <<'END' && echo 'OK, these are the bytes that were written'
${artifacts.map((artifact) => `${artifact.storedSha256}  ${artifact.name}`).join('\n')}
END`)}`
}

function restoreSqlite(data: Artifact): string {
  return `## 2. Unpack the database and check it

Set \`DESTINATION\` to the absolute path that the database shall have, for example
\`export DESTINATION=/var/lib/app/app.db\`. Its directory needs ${data.sizeBytes} bytes of free space. Nothing that
exists is changed yet.

${shell(`umask 077
: "\${DESTINATION:?set it to the path of the database}" &&
rm -f -- "$DESTINATION.restored" &&
${UNPACK[data.codec]} ${data.name} > "$DESTINATION.unpacked" &&
${equalHash('"$DESTINATION.unpacked"', data.sha256)} &&
test "$(sqlite3 -readonly "$DESTINATION.unpacked" 'PRAGMA integrity_check')" = ok &&
mv -- "$DESTINATION.unpacked" "$DESTINATION.restored" &&
echo 'OK, the database is unpacked and sound'`)}

Without the \`sqlite3\` program leave out its line: the hash before it has proven every byte.

## 3. Bring it into place

**Stop every program that uses the database first.** One that still has it open would go on writing into the old file.
What is there now is kept beside it, as \`$DESTINATION.replaced\`. The \`-wal\`, \`-shm\` and \`-journal\` files belong
to the old database and must go with it: left behind, they would be played into the restored one and damage it.

${shell(`test -e "$DESTINATION.restored" && test ! -e "$DESTINATION.replaced" &&
${['', '-wal', '-shm', '-journal'].map(moveAside).join('\n')}
mv -- "$DESTINATION.restored" "$DESTINATION" &&
sync && echo 'OK, the database is restored'`)}

Give the file the owner and mode that the program expects (\`chown\`, \`chmod\`), then start it.`
}

function moveAside(suffix: string): string {
  const from = `"$DESTINATION${suffix}"`
  return `{ test ! -e ${from} || mv -- ${from} "$DESTINATION.replaced${suffix}"; } &&`
}

function unpackDump(data: Artifact, format: string): string {
  return `## 2. Unpack the dump and check it

Set \`DESTINATION\` to the absolute path of a file that does not exist yet; it needs ${data.sizeBytes} bytes.

${shell(`umask 077
: "\${DESTINATION:?set it to the path of the dump}" &&
${UNPACK[data.codec]} ${data.name} > "$DESTINATION" &&
${equalHash('"$DESTINATION"', data.sha256)} &&
echo 'OK, the dump is unpacked'`)}

Its format is \`${format}\`: load it with the tools of its engine into an **empty** database.`
}

function restoreFiles(files: Artifact): string {
  return `## Included directories

${files.fileCount ?? 0} files. Set \`FILES\` to the absolute path of a new directory. Each included directory becomes
one folder in it; \`include\` in \`manifest.json\` says where each came from.

${shell(`: "\${FILES:?set it to the path of a new directory}" &&
test "$(${UNPACK[files.codec]} ${files.name} | sha256sum | cut -d ' ' -f 1)" = ${files.sha256} &&
mkdir -p -- "$FILES" &&
${UNPACK[files.codec]} ${files.name} | tar -x -p -f - -C "$FILES" &&
echo 'OK, the files are restored'`)}`
}

function equalHash(file: string, sha256: string): string {
  return `test "$(sha256sum < ${file} | cut -d ' ' -f 1)" = ${sha256}`
}

function shell(commands: string): string {
  return `\`\`\`sh\n${commands}\n\`\`\``
}
