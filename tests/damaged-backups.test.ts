import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { acceptRestore, acceptVerify, loadManifest, openArtifact, registerTarget } from '@holdfast/core'
import { withFlip } from '@holdfast/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillDirectory, makeBackup } from './support/attacked-backup.ts'
import { sqliteUrl } from './support/system.ts'
import type { Workshop } from './support/workshop.ts'
import { CALLER, openWorkshop } from './support/workshop.ts'

describe('a damaged backup', () => {
  let workshop: Workshop

  beforeAll(async () => {
    workshop = await openWorkshop()
    const { directory, deps } = workshop
    await fillDirectory(join(directory, 'shop'), 'new', 7)
    await registerTarget(deps, { name: 'shop', url: sqliteUrl(join(directory, 'shop', 'app.db')) })
    await makeBackup(workshop, { note: 'stays good' })
  })
  afterAll(() => workshop?.close())

  it.each([
    ['artifact', 'ARTIFACT_CORRUPT'],
    ['manifest', 'MANIFEST_UNTRUSTED'],
  ])(
    'with a bad %s is found, is neither latest nor restorable, and is good again once it was repaired',
    async (what, code) => {
      const { deps, carryOut } = workshop
      const { catalog } = deps
      const newest = await makeBackup(workshop, { note: `the ${what} will break`, compression: 'gzip' })
      assert.equal((await catalog.backups.latest('shop', null))?.id, newest.id)
      const path = join(newest.folder, what === 'manifest' ? 'manifest.json' : (newest.data ?? ''))
      const bytes = await readFile(path)
      const damaged =
        what === 'manifest'
          ? String(bytes).replace('"recordCount": ', '"recordCount": 1')
          : withFlip(bytes, { offset: bytes.length >> 1, mask: 4 })
      await writeFile(path, damaged)

      const found = await carryOut(acceptVerify(deps, newest.id, { level: 'checksum' }, CALLER))
      expect(found).toMatchObject({ state: 'failed', error: { code } })
      const marked = await catalog.backups.get(newest.id)
      expect(marked).toMatchObject({ status: 'damaged', verification: { valid: false, level: 'checksum' } })
      expect((await catalog.backups.latest('shop', null))?.id).not.toBe(newest.id)
      const into = { url: sqliteUrl(join(workshop.directory, 'never.db')) }
      const unusable = { code: 'BACKUP_NOT_USABLE' }
      await expect(acceptRestore(deps, newest.id, { into }, CALLER)).rejects.toMatchObject(unusable)
      const { signal } = new AbortController()
      await expect(openArtifact(deps, newest.id, 'data', signal)).rejects.toMatchObject(unusable)
      await expect(loadManifest(deps, newest.id, signal)).rejects.toMatchObject(unusable)
      const page = { limit: 200, cursor: null }
      const all = await catalog.backups.list({ target: 'shop' }, page)
      expect(all.items.map(({ id }) => id)).toContain(newest.id)
      const bad = await catalog.backups.list({ status: 'damaged' }, page)
      expect(bad.items.map(({ id }) => id)).toEqual([newest.id])

      await writeFile(path, bytes)
      const repaired = await carryOut(acceptVerify(deps, newest.id, { level: 'restore' }, CALLER))
      expect(repaired).toMatchObject({ state: 'completed', error: null })
      expect(await catalog.backups.get(newest.id)).toMatchObject({
        status: 'completed',
        verification: { valid: true, level: 'restore' },
      })
      expect((await catalog.backups.latest('shop', null))?.id).toBe(newest.id)
    },
  )
})
