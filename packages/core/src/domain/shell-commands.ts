// The shapes of the commands in RESTORE.md, the same for every engine.

/** A block of commands in Markdown, to be run in one go. */
export function shellBlock(commands: string): string {
  return `\`\`\`sh\n${commands}\n\`\`\``
}

/** A condition: true if a file, given as one word of a shell, has this SHA-256. */
export function fileHasSha256(file: string, sha256: string): string {
  return `test "$(sha256sum < ${file} | cut -d ' ' -f 1)" = ${sha256}`
}

/** A condition: true if what a command prints has this SHA-256. */
export function outputHasSha256(command: string, sha256: string): string {
  return `test "$(${command} | sha256sum | cut -d ' ' -f 1)" = ${sha256}`
}

/** One word of a shell that means the text and nothing else, whatever is in it. */
export function shellQuote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
