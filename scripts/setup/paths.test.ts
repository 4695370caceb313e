import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isSuitable } from './node-runtime.mjs'
import { expand, extendPath, findProgram } from './paths.mjs'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-paths-'))
  for (const version of ['9', '15', '17']) {
    mkdirSync(join(dir, 'pg', version, 'bin'), { recursive: true })
    writeFileSync(join(dir, 'pg', version, 'bin', 'postgres'), '')
    chmodSync(join(dir, 'pg', version, 'bin', 'postgres'), version === '17' ? 0o644 : 0o755)
  }
})

afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

describe('the search for programs', () => {
  it('prefers the highest version, and takes executable files only', () => {
    const pattern = `${dir}/pg/*/bin`
    expect(expand(pattern)).toEqual(['17', '15', '9'].map((version) => `${dir}/pg/${version}/bin`))
    expect(findProgram(['postgres'], '', [pattern])).toBe(`${dir}/pg/15/bin/postgres`)
  })

  it('prefers PATH to other places, and earlier names to later ones', () => {
    const path = `/nowhere:${dir}/pg/9/bin`
    expect(findProgram(['none', 'postgres'], path, [`${dir}/pg/*/bin`])).toBe(`${dir}/pg/9/bin/postgres`)
    expect(findProgram(['none'], path)).toBeNull()
    expect(findProgram(['bin'], `${dir}/pg/9`)).toBeNull()
  })

  it('puts the private Node.js first and names every place once', () => {
    const path = extendPath('/usr/bin:/own:/usr/bin', '/private', '/tools').split(':')
    expect(path.slice(0, 4)).toEqual(['/private', '/usr/bin', '/own', '/tools/bin'])
    expect(new Set(path).size).toBe(path.length)
  })
})

describe('a version of Node.js', () => {
  it.each([
    ['v24.12.0', true],
    ['v24.21.0\n', true],
    ['24.99.1', true],
    ['v24.11.1', false],
    ['v20.20.2', false],
    ['v25.0.0', false],
    ['v24.12.0-nightly', false],
    ['', false],
  ])('%j is suitable: %s', (version, expected) => {
    expect(isSuitable(version)).toBe(expected)
  })
})
