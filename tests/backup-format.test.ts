import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createManifestSigner } from '@holdfast/catalog'
import { ARTIFACT_ROLES, ManifestSchema, signManifest } from '@holdfast/core'
import { supportedEngines } from '@holdfast/drivers'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory } from '@holdfast/testing'
import { afterEach, beforeEach, describe, it } from 'vitest'
import { makeManifest } from '../packages/core/fixtures/manifest.ts'

let directory: TemporaryDirectory
let document: string

beforeEach(async () => {
  directory = await makeTemporaryDirectory('format')
  document = await readFile(new URL('../docs/backup-format.md', import.meta.url), 'utf8')
})
afterEach(() => directory.remove())

describe('docs/backup-format.md', () => {
  it('has a script that checks a signature with the master key alone', async () => {
    const masterKey = randomBytes(32)
    const signer = createManifestSigner([masterKey])
    const manifest = signManifest(makeManifest(), signer)
    const right = await check(manifest, masterKey.toString('base64'))
    assert.deepEqual(right, {
      status: 0,
      output: `signed by ${signer.keyId}, checked with ${signer.keyId}: right`,
    })

    const changed = Buffer.from(Buffer.from(manifest).toString().replace('10007', '10008'))
    assert.equal((await check(changed, masterKey.toString('base64'))).status, 1)
    const other = await check(manifest, randomBytes(32).toString('base64'))
    assert.equal(other.status, 1)
    assert.match(other.output, /WRONG/)
  })

  it('names every format of every engine, with its extension', () => {
    const rows = [...document.matchAll(/^\| `([a-z]+)` \| `([a-z]+)` \| `([a-z.]+)` \|/gm)]
    const supported = supportedEngines().flatMap(({ engine, formats }) =>
      formats.map(({ name, extension }) => [engine, name, extension]),
    )
    assert.deepEqual(rows.map((row) => row.slice(1)).sort(), supported.sort())
  })

  it('names every artifact', () => {
    const folder = document.slice(document.indexOf('## Files'), document.indexOf('- A target'))
    const named = [...folder.matchAll(/\/([a-z]+)-<fence>/g)].map(([, role]) => role)
    assert.deepEqual(named, [...ARTIFACT_ROLES])
  })

  it('names every field of the manifest', () => {
    const section = document.slice(document.indexOf('## manifest.json'), document.indexOf('## The signature'))
    const rows = section.split('\n').filter((line) => line.startsWith('| `'))
    const named = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    )
    assert.deepEqual(named.sort(), Object.keys(ManifestSchema.properties).sort())
  })
})

async function check(manifest: Uint8Array, key: string): Promise<{ status: number | null; output: string }> {
  const [, script = ''] = /```js\n([\s\S]*?)```/.exec(document) ?? []
  const files = { script: 'verify-manifest.mjs', manifest: 'manifest.json', key: 'master.key' }
  await writeFile(join(directory.path, files.script), script)
  await writeFile(join(directory.path, files.manifest), manifest)
  await writeFile(join(directory.path, files.key), `${key}\n`)
  const argv = [files.script, files.manifest, files.key]
  const { status, stdout } = spawnSync(process.execPath, argv, { cwd: directory.path, encoding: 'utf8' })
  return { status, output: stdout.trim() }
}
