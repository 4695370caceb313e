import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'
import type { TemporaryDirectory } from '@holdfast/testing'
import { makeTemporaryDirectory, rejectsWith } from '@holdfast/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeStaged } from './write-staged.ts'

const request = { dump: { sizeBytes: 4 }, onProgress() {} } as const
const never = new AbortController().signal

describe('a staged file', () => {
  let directory: TemporaryDirectory
  let file: string

  beforeEach(async () => {
    directory = await makeTemporaryDirectory('staged')
    file = join(directory.path, 'staged')
  })
  afterEach(() => directory.remove())

  it('is gone when its writing was stopped', async () => {
    const stop = new AbortController()
    const writing = writeStaged(file, request, new PassThrough(), stop.signal)
    await sleep(20)
    stop.abort(new AppError('CANCELLED', 'enough'))
    await rejectsWith('CANCELLED', writing)
    expect(await readdir(directory.path)).toEqual([])
  })

  it('stays when somebody else has written it anew meanwhile', async () => {
    const stop = new AbortController()
    const zombie = writeStaged(file, request, new PassThrough(), stop.signal)
    await sleep(20)
    await rm(file)
    await writeStaged(file, request, Readable.from([Buffer.from('good')]), never)
    stop.abort(new AppError('FENCE_LOST', 'another worker has taken over'))
    await rejectsWith('FENCE_LOST', zombie)
    expect(await readFile(file, 'utf8')).toBe('good')
  })
})
