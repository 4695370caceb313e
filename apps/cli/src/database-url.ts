import { readFile } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { usageError } from './cli-error.ts'
import type { Host } from './host.ts'

/** Also one that is not encoded as it should be: a password may hold anything. */
const WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^@]+@/i
const WITH_SECRET_PARAMETER = /[?&][^=&]*(pass|secret|token|key)[^=&]*=[^&]/i
const SCHEME = /^[a-z][a-z0-9+.-]*:/i

/** True for what is a URL rather than a name; no name has a colon. */
export function isUrl(text: string): boolean {
  return SCHEME.test(text)
}

/** Where a database URL may come from on the command line. */
export interface UrlSource {
  /** As a word of the command line, which everybody on the machine can read. */
  readonly word: string | undefined
  /** A file, or `-` for standard input. */
  readonly file: string | undefined
  /** The option that names the file. */
  readonly fileOption: string
}

/** The URL of a database, given in one of two ways. Rejects with USAGE, never repeating a secret. */
export async function readDatabaseUrl(host: Host, { word, file, fileOption }: UrlSource): Promise<string> {
  if ((word === undefined) === (file === undefined)) {
    throw usageError(
      `give the URL either as a word or with ${fileOption}`,
      'for example sqlite:///srv/data/shop.db',
    )
  }
  if (word !== undefined) return requirePublic(requireWord(host, word), fileOption)
  const url = (file === '-' ? await text(host.stdin) : await readUrlFile(file ?? '')).trim()
  return requireUrl(url)
}

function requireWord(host: Host, url: string): string {
  if (isUrl(url)) return url
  const path = isAbsolute(url) ? url : resolve(host.cwd, url)
  const suggestion = `sqlite://${path.split('/').map(encodeURIComponent).join('/')}`
  throw usageError('the URL has no scheme', `for an SQLite file: ${suggestion}`)
}

/** What came in secret is not repeated, not even to correct it. */
function requireUrl(url: string): string {
  if (isUrl(url)) return url
  throw usageError(
    url === '' ? 'the input was empty' : 'the URL has no scheme',
    'it begins with, for example, sqlite://',
  )
}

function requirePublic(url: string, fileOption: string): string {
  if (!WITH_PASSWORD.test(url) && !WITH_SECRET_PARAMETER.test(url)) return url
  throw usageError(
    'the URL holds a password, and the arguments of a process are visible to everybody on the machine',
    `put it into a file only you can read and name that with ${fileOption} FILE, or pipe it into ${fileOption} -; and consider the password known`,
  )
}

async function readUrlFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw usageError(`the file ${path} cannot be read: ${reason}`)
  }
}
