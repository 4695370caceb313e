/** A text in quotes, in a script that says `SET NAMES utf8mb4` and an empty sql_mode first. Never two lines. */
export function textLiteral(text: string): string {
  const escaped = text.replace(/['\\\n\r\0]/g, (found) => ESCAPES[found] ?? `\\${found}`)
  return `'${escaped}'`
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\0': '\\0' }
