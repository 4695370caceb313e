import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensurePackages, fingerprint, isInstalledByNpm } from './packages.mjs'

let root: string
let said: string[]

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-packages-'))
  said = []
  write('package.json', { name: 'tree', version: '1.0.0', workspaces: ['apps/*'] })
  write('apps/one/package.json', { name: 'one', version: '1.0.0' })
  writeLock({})
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

function write(path: string, content: object): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), JSON.stringify(content))
}

function lockOf(packages: object): object {
  return {
    name: 'tree',
    version: '1.0.0',
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { name: 'tree', version: '1.0.0', workspaces: ['apps/*'] },
      'apps/one': { version: '1.0.0' },
      'node_modules/one': { resolved: 'apps/one', link: true },
      ...packages,
    },
  }
}

function writeLock(packages: object): void {
  write('package-lock.json', lockOf(packages))
}

function writeRecord(packages: object): void {
  write('node_modules/.package-lock.json', lockOf(packages))
}

async function ensure(): Promise<void> {
  await ensurePackages({ root, node: process.execPath, say: (line: string) => said.push(line) })
}

describe('the packages', () => {
  it('are installed once, and again only when a manifest has changed', async () => {
    await ensure()
    expect(said).toEqual(['installing packages (npm ci)'])
    expect(existsSync(join(root, 'node_modules', 'one', 'package.json'))).toBe(true)

    await ensure()
    expect(said).toHaveLength(1)

    const before = fingerprint(root)
    write('apps/one/package.json', { name: 'one', version: '1.0.0', description: 'changed' })
    expect(fingerprint(root)).not.toBe(before)
  })

  it('are installed by one of two set-ups that start together', async () => {
    await Promise.all([ensure(), ensure()])
    expect(said.filter((line) => line.startsWith('installing'))).toHaveLength(1)
  })

  it('need no second installation after the user has run npm', async () => {
    const packages = { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } }
    writeLock(packages)
    writeRecord(packages)
    await ensure()
    expect(said).toEqual([])
    expect(existsSync(join(root, 'node_modules', '.holdfast-stamp'))).toBe(true)
  })

  it('may lack what is optional, but nothing else and no other version', () => {
    writeLock({
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '1.0.0', optional: true },
    })
    writeRecord({ 'node_modules/a': { version: '1.0.0' } })
    expect(isInstalledByNpm(root)).toBe(true)
    writeRecord({ 'node_modules/a': { version: '1.0.1' } })
    expect(isInstalledByNpm(root)).toBe(false)
    writeRecord({ 'node_modules/b': { version: '1.0.0' } })
    expect(isInstalledByNpm(root)).toBe(false)
  })

  it('say what to do when the lock file does not fit', async () => {
    write('apps/two/package.json', { name: 'two', version: '1.0.0' })
    const message = await ensure().catch(String)
    expect(message).toContain('could not install the packages: npm said')
    expect(message).toContain('run `npm install` once')
    expect(existsSync(join(root, 'node_modules', '.holdfast-stamp'))).toBe(false)
  })

  it('are used as they are in a tree that may not be written', async () => {
    writeRecord({})
    chmodSync(join(root, 'node_modules'), 0o555)
    await ensure()
    expect(said).toEqual([])
    chmodSync(join(root, 'node_modules'), 0o755)
  })
})
