/** How a caller presented a key. */
export interface Credentials {
  readonly scheme: 'bearer' | 'basic'
  readonly key: string
}

const LONGEST_HEADER = 2048

/** Reads an Authorization header: a Bearer token, or Basic with the key as the password and any user name. */
export function readCredentials(header: string | undefined): Credentials | null {
  if (header === undefined || header.length > LONGEST_HEADER) return null
  const match = /^(bearer|basic) +(\S+) *$/i.exec(header)
  const [, scheme = '', value = ''] = match ?? []
  if (scheme.toLowerCase() === 'bearer') return { scheme: 'bearer', key: value }
  if (scheme.toLowerCase() === 'basic') return readBasic(value)
  return null
}

function readBasic(value: string): Credentials | null {
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  const key = text.slice(colon + 1)
  return colon === -1 || key === '' ? null : { scheme: 'basic', key }
}
