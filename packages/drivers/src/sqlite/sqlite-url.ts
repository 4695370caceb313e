import { AppError } from '@holdfast/core'

const SHAPE = /^sqlite:\/\/([^/?#]*)(\/[^?#]*)?([?#][\s\S]*)?$/i

/**
 * The absolute path in a `sqlite:///absolute/path` URL. Every part is percent-decoded once and is then a plain path:
 * nothing in it is an option, a URI or a shell word. Throws INVALID_CONNECTION.
 */
export function parseSqliteUrl(url: string): string {
  // not the URL class: it drops line breaks and resolves `..` before symbolic links are known
  const [, host, encoded, tail] = SHAPE.exec(url) ?? []
  if (host === undefined) throw invalid('is not of the form sqlite:///absolute/path')
  if (host !== '') throw invalid('names a host')
  if (encoded === undefined) throw invalid('has no path')
  if (tail !== undefined)
    throw invalid("has a query or fragment ('?' and '#' in a file name must be %3F and %23)")
  const path = decode(encoded)
  if (path.includes('\0')) throw invalid('holds a NUL')
  if (path.endsWith('/')) throw invalid('names a directory')
  return path
}

/** The canonical URL of a path: the inverse of {@link parseSqliteUrl}. */
export function formatSqliteUrl(path: string): string {
  return `sqlite://${path.split('/').map(encodeURIComponent).join('/')}`
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch (error) {
    throw invalid('holds a percent sign that does not encode UTF-8', error)
  }
}

function invalid(problem: string, cause?: unknown): AppError {
  return new AppError('INVALID_CONNECTION', `the SQLite URL ${problem}`, {
    hint: 'use sqlite:///absolute/path/to/file.db, with special characters percent-encoded',
    ...(cause === undefined ? {} : { cause }),
  })
}
