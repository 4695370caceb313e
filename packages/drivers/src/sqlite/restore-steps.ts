import type { StoredParts } from '@holdfast/core'
import { fileHasSha256, shellBlock } from '@holdfast/core'

/** How a stored database is brought back with the `sqlite3` program and a shell. */
export function sqliteRestoreSteps({ data }: StoredParts): string {
  return `## 2. Unpack the database and check it

Set \`DESTINATION\` to the absolute path that the database shall have, for example
\`export DESTINATION=/var/lib/app/app.db\`. Its directory needs ${data.sizeBytes} bytes of free space. Nothing that
exists is changed yet.

${shellBlock(`umask 077
: "\${DESTINATION:?set it to the path of the database}" &&
rm -f -- "$DESTINATION.restored" &&
${data.command} > "$DESTINATION.unpacked" &&
${fileHasSha256('"$DESTINATION.unpacked"', data.sha256)} &&
test "$(sqlite3 -readonly "$DESTINATION.unpacked" 'PRAGMA integrity_check')" = ok &&
mv -- "$DESTINATION.unpacked" "$DESTINATION.restored" &&
echo 'OK, the database is unpacked and sound'`)}

Without the \`sqlite3\` program leave out its line: the hash before it has proven every byte.

## 3. Bring it into place

**Stop every program that uses the database first.** One that still has it open would go on writing into the old file.
What is there now is kept beside it, as \`$DESTINATION.replaced\`. The \`-wal\`, \`-shm\` and \`-journal\` files belong
to the old database and must go with it: left behind, they would be played into the restored one and damage it.

${shellBlock(`test -e "$DESTINATION.restored" && test ! -e "$DESTINATION.replaced" &&
${['', '-wal', '-shm', '-journal'].map(moveAside).join('\n')}
mv -- "$DESTINATION.restored" "$DESTINATION" &&
sync && echo 'OK, the database is restored'`)}

Give the file the owner and mode that the program expects (\`chown\`, \`chmod\`), then start it.`
}

function moveAside(suffix: string): string {
  const from = `"$DESTINATION${suffix}"`
  return `{ test ! -e ${from} || mv -- ${from} "$DESTINATION.replaced${suffix}"; } &&`
}
