import { describe, expect, it } from 'vitest'
import {
  artifactKey,
  artifactName,
  backupPrefix,
  manifestKey,
  requireFolder,
  requireKey,
  restoreNotesKey,
  stateKey,
} from './object-keys.ts'

const ID = '0195507a-1c00-7000-8000-0123456789ab'
const invalid = expect.objectContaining({ code: 'INVALID_REQUEST' })

describe('keys of a backup', () => {
  it('lie in the folder of their target and id', () => {
    expect(backupPrefix('shop', ID)).toBe(`shop/${ID}/`)
    expect(manifestKey('shop', ID)).toBe(`shop/${ID}/manifest.json`)
    expect(restoreNotesKey('shop', ID)).toBe(`shop/${ID}/RESTORE.md`)
    expect(stateKey('shop', ID)).toBe(`shop/${ID}/state.json`)
    expect(artifactKey('shop', ID, 'data-41.sqlite.zst')).toBe(`shop/${ID}/data-41.sqlite.zst`)
  })

  it.each([
    ['data', 41, 'sqlite', 'zstd', 'data-41.sqlite.zst'],
    ['data', 7, 'dump', 'gzip', 'data-7.dump.gz'],
    ['files', 41, 'tar', 'none', 'files-41.tar'],
  ] as const)('name an artifact %s %d %s %s', (role, fence, format, codec, name) => {
    expect(artifactName(role, fence, format, codec)).toBe(name)
  })

  it('refuse what leads elsewhere', () => {
    for (const target of ['', '..', '../x', 'a/b', 'A', ID, 'latest']) {
      expect(() => backupPrefix(target, ID)).toThrow(invalid)
    }
    for (const id of ['', '..', 'latest', ID.toUpperCase(), `${ID}/x`]) {
      expect(() => backupPrefix('shop', id)).toThrow(invalid)
    }
    for (const name of [
      '',
      '..',
      'manifest.json',
      'data-1',
      'data-1.a/b',
      'data-x.sqlite',
      '../data-1.sqlite',
    ]) {
      expect(() => artifactKey('shop', ID, name)).toThrow(invalid)
    }
    expect(() => artifactName('data', 1, '../x', 'none')).toThrow(invalid)
    expect(() => artifactName('data', -1, 'sqlite', 'none')).toThrow(invalid)
  })
})

describe('requireKey', () => {
  it('takes every key of ours, and folders with or without their end', () => {
    expect(requireKey(manifestKey('shop', ID))).toBe(manifestKey('shop', ID))
    expect(requireFolder('')).toBe('')
    expect(requireFolder(backupPrefix('shop', ID))).toBe(`shop/${ID}`)
    expect(requireFolder('shop')).toBe('shop')
  })

  it('refuses more than one slash at the end', () => {
    expect(() => requireFolder('shop//')).toThrow(invalid)
    expect(() => requireFolder('/')).toThrow(invalid)
  })
})
