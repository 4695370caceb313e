import { resolve } from 'node:path'
import { AppError } from '@holdfast/core/domain'

/** Where a catalog is. */
export type CatalogPlace =
  | { readonly engine: 'sqlite'; readonly file: string }
  | { readonly engine: 'postgres'; readonly url: string }

/**
 * Reads `sqlite:/absolute/path`, `sqlite:relative/path` (the path as it is), `sqlite:///absolute/path`
 * (percent-encoded, like a target's URL), `postgres://…` or `postgresql://…`.
 */
export function parseCatalogUrl(url: string): CatalogPlace {
  if (/^postgres(ql)?:\/\//.test(url)) return { engine: 'postgres', url }
  if (!url.startsWith('sqlite:')) {
    throw invalid("the catalog URL starts with neither 'sqlite:' nor 'postgres://'")
  }
  const path = sqlitePath(url.slice('sqlite:'.length))
  // better-sqlite3 would cut blanks off, and take these names for databases without a file
  if (path === '' || path.startsWith(':') || path.trim() !== path || path.includes('\0')) {
    throw invalid('the catalog URL names no file')
  }
  return { engine: 'sqlite', file: resolve(path) }
}

function sqlitePath(rest: string): string {
  if (!rest.startsWith('//')) return rest
  if (!rest.startsWith('///')) throw invalid("the catalog URL has a host, which 'sqlite:' does not know")
  try {
    return decodeURIComponent(rest.slice(2))
  } catch {
    throw invalid('the catalog URL is not percent-encoded correctly')
  }
}

function invalid(message: string): AppError {
  return new AppError('INVALID_CONFIGURATION', message, {
    hint: 'set HOLDFAST_CATALOG_URL to sqlite:/path/to/catalog.sqlite or to postgres://user:password@host/database',
  })
}
