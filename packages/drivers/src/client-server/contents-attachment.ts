import type { Attachment } from '@holdfast/core'
import { AppError } from '@holdfast/core'

/** How an engine tells whether what was stored is a list of contents that it understands. */
export interface ContentsFormat<Contents> {
  readonly Check: (value: unknown) => value is Contents
  readonly Errors: (value: unknown) => readonly { readonly instancePath: string }[]
}

/** The attachment in which the contents of a dump are stored. */
export function contentsAttachment(contents: object): Attachment {
  return { role: 'contents', format: 'json', content: `${JSON.stringify(contents)}\n` }
}

/**
 * What {@link contentsAttachment} has stored, whose version is the field `versionField`. Throws ARTIFACT_CORRUPT for
 * anything else, MANIFEST_UNSUPPORTED for a later version.
 */
export function contentsIn<Contents>(
  attachments: readonly Attachment[],
  format: ContentsFormat<Contents>,
  versionField: string,
): Contents {
  const attachment = attachments.find(({ role }) => role === 'contents')
  if (attachment === undefined) throw corrupt('is missing')
  const value = parse(attachment.content)
  if (format.Check(value)) return value
  if (typeof value === 'object' && value !== null && versionOf(value, versionField) !== 1) {
    throw new AppError('MANIFEST_UNSUPPORTED', 'the list of contents of the dump has an unknown version', {
      hint: 'restore it with the version of Holdfast that wrote it, or a later one',
    })
  }
  const place = format.Errors(value)[0]?.instancePath ?? ''
  throw corrupt(`is not as it must be at ${place === '' ? 'its top' : place.slice(0, 100)}`)
}

/** One without a version says nothing of being another's. */
function versionOf(value: object, field: string): unknown {
  return new Map<string, unknown>(Object.entries(value)).get(field) ?? 1
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw corrupt('is no JSON')
  }
}

function corrupt(problem: string): AppError {
  return new AppError('ARTIFACT_CORRUPT', `the list of contents of the dump ${problem}`)
}
