import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { swapFiles, takeBackFiles, unswapFiles } from './restore-files.ts'

describe('swapping restored directories', () => {
  let root: string

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'holdfast-swap-'))
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  const planned = (name: string) => ({
    staged: join(root, `.${name}.staged`),
    destination: join(root, name),
    aside: join(root, `.${name}.replaced`),
  })

  async function put(directory: string, content: string): Promise<void> {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'file'), content)
  }

  const contentOf = (directory: string) => readFile(join(directory, 'file'), 'utf8')

  it('puts the new in place and keeps the old aside', async () => {
    const directory = planned('uploads')
    await put(directory.staged, 'new')
    await put(directory.destination, 'old')
    expect(await swapFiles([directory])).toEqual([
      { destination: directory.destination, aside: directory.aside },
    ])
    expect(await contentOf(directory.destination)).toBe('new')
    expect(await contentOf(directory.aside)).toBe('old')
  })

  it('keeps nothing aside where nothing was', async () => {
    const directory = planned('uploads')
    await put(directory.staged, 'new')
    expect(await swapFiles([directory])).toEqual([])
    expect(await readdir(root)).toEqual(['uploads'])
  })

  it('ends the same from every step at which an earlier run was killed', async () => {
    for (const killedAfter of [0, 1, 2]) {
      const directory = planned(`uploads-${killedAfter}`)
      await put(directory.staged, 'new')
      await put(directory.destination, 'old')
      if (killedAfter >= 1) await rename(directory.destination, directory.aside)
      if (killedAfter >= 2) await rename(directory.staged, directory.destination)
      const kept = await swapFiles([directory])
      expect(kept).toHaveLength(1)
      expect(await contentOf(directory.destination)).toBe('new')
      expect(await contentOf(directory.aside)).toBe('old')
    }
  })

  it('takes back a swap that stopped half way, from every step', async () => {
    for (const stoppedAfter of [0, 1, 2]) {
      const directory = planned(`uploads-${stoppedAfter}`)
      await put(directory.staged, 'new')
      await put(directory.destination, 'old')
      if (stoppedAfter >= 1) await rename(directory.destination, directory.aside)
      if (stoppedAfter >= 2) await rename(directory.staged, directory.destination)
      await takeBackFiles([directory])
      expect(await contentOf(directory.destination)).toBe('old')
      expect(await contentOf(directory.staged)).toBe('new')
    }
  })

  it('takes back a directory that was not there before', async () => {
    const directory = planned('uploads')
    await put(directory.staged, 'new')
    await swapFiles([directory])
    await takeBackFiles([directory])
    expect(await readdir(root)).toEqual(['.uploads.staged'])
  })

  it('undoes a swap, also when an earlier undo was killed after its first rename', async () => {
    for (const killed of [false, true]) {
      const directory = planned(`uploads-${killed}`)
      await put(directory.staged, 'new')
      await put(directory.destination, 'old')
      const kept = await swapFiles([directory])
      if (killed) await rename(directory.destination, `${directory.aside}.undone`)
      await unswapFiles(kept)
      expect(await contentOf(directory.destination)).toBe('old')
    }
    expect((await readdir(root)).toSorted()).toEqual(['uploads-false', 'uploads-true'])
  })
})
