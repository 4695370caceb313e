import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'vitest'
import { withScratch } from './scratch.ts'

it('removes what lost workers had of the same operation, and nothing else', async () => {
  const scratchDir = await mkdtemp(join(tmpdir(), 'holdfast-scratch-'))
  try {
    for (const name of ['one-2', 'one-9', 'one-11', 'one-in-place', 'other-1']) {
      await mkdir(join(scratchDir, name))
      await writeFile(join(scratchDir, name, 'login'), 'secret')
    }
    const during = await withScratch(scratchDir, { operationId: 'one', fence: 10 }, () => readdir(scratchDir))
    assert.deepEqual(during.toSorted(), ['one-10', 'one-11', 'one-in-place', 'other-1'])
    assert.deepEqual((await readdir(scratchDir)).toSorted(), ['one-11', 'one-in-place', 'other-1'])
  } finally {
    await rm(scratchDir, { recursive: true, force: true })
  }
})
