import type { Attachment } from '@holdfast/core'
import type { SchemaObjects } from '../schema/schema-objects.ts'
import { textLiteral } from './text-literal.ts'

/** Makes the schema that a session works in what the source was, whatever its name: no dump says any of it. */
export function settingsScript({ charset, collation, comment }: SchemaObjects): Attachment {
  const lines = [
    'SET NAMES utf8mb4;',
    "SET SESSION sql_mode = '';",
    `ALTER DATABASE CHARACTER SET ${wordOf(charset)} COLLATE ${wordOf(collation)};`,
    ...(comment === '' ? [] : [`ALTER DATABASE COMMENT = ${textLiteral(comment)};`]),
  ]
  return { role: 'settings', format: 'sql', content: `${lines.join('\n')}\n` }
}

function wordOf(text: string): string {
  if (/^\w+$/.test(text)) return text
  throw new Error('not the name of a character set or collation')
}
