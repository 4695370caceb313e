import { Readable, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readDatabaseUrl } from './database-url.ts'
import type { Host } from './host.ts'

const OPTION = '--url-file'

describe('a database URL on the command line', () => {
  it('may be a word if nothing in it is secret', async () => {
    for (const url of [
      'sqlite:///srv/a%20b.db',
      'sqlite:///srv/a:b@c.db',
      'postgres://me@db:5432/shop?sslmode=require',
    ]) {
      expect(await readDatabaseUrl(host(), { word: url, file: undefined, fileOption: OPTION })).toBe(url)
    }
  })

  it('may hold a password where only its owner reads it', async () => {
    const url = 'postgres://me:s3cr3t@db/shop'
    const source = { word: undefined, file: '-', fileOption: OPTION }
    expect(await readDatabaseUrl(host(`${url}\n`), source)).toBe(url)
  })

  const secrets = [
    'postgres://me:s3cr3t@db/shop',
    'postgres://me:s3%40cr3t@db',
    'mysql://db/shop?password=s3cr3t',
    'mysql://db/shop?ssl=1&SSLPassword=s3cr3t',
    'postgres://:s3cr3t@db',
    'postgres://me:s3/cr3t?@db',
  ]
  it.each(secrets)('is refused as a word when it holds a secret: %#', async (word) => {
    const refused = readDatabaseUrl(host(), { word, file: undefined, fileOption: OPTION })
    await expect(refused).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 })
    await expect(refused).rejects.not.toThrow(/s3/)
  })

  it('is asked for exactly once', async () => {
    const both = { word: 'sqlite:///a', file: '-', fileOption: OPTION }
    await expect(readDatabaseUrl(host(), both)).rejects.toMatchObject({ code: 'USAGE' })
    const neither = { word: undefined, file: undefined, fileOption: OPTION }
    await expect(readDatabaseUrl(host(), neither)).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('is suggested for a path, and not for what came in secret', async () => {
    const word = readDatabaseUrl(host(), { word: 'data/my shop.db', file: undefined, fileOption: OPTION })
    await expect(word).rejects.toMatchObject({
      hint: 'for an SQLite file: sqlite:///home/me/data/my%20shop.db',
    })
    const missing = readDatabaseUrl(host(), { word: undefined, file: '/nowhere/url', fileOption: OPTION })
    await expect(missing).rejects.toMatchObject({ message: expect.stringContaining('ENOENT') })
    const piped = readDatabaseUrl(host('/srv/s3cr3t.db'), { word: undefined, file: '-', fileOption: OPTION })
    await expect(piped).rejects.toMatchObject({ hint: expect.not.stringContaining('s3cr3t') })
  })
})

function host(input = ''): Host {
  return {
    args: [],
    env: {},
    cwd: '/home/me',
    stdin: Readable.from([input]),
    stdout: new Writable(),
    stderr: new Writable(),
    now: () => 0,
    interrupted: new AbortController().signal,
  }
}
