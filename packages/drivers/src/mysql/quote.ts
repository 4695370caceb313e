/** A name as SQL has it, in backticks, right in every sql_mode. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** `schema`.`name`. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteName(schema)}.${quoteName(name)}`
}

/**
 * A text as an expression, right in every sql_mode and whatever the character set of the connection: as the hexadecimal
 * digits of its bytes. Some statements take nothing but a text in quotes, such as SHOW … LIKE and COMMENT.
 */
export function quoteText(text: string): string {
  return `_utf8mb4 X'${Buffer.from(text, 'utf8').toString('hex')}'`
}

/** Bytes as an expression. */
export function quoteBytes(bytes: Uint8Array): string {
  return `X'${Buffer.from(bytes).toString('hex')}'`
}
