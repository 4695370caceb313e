import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../lib/testing/processes.ts'
import { withLock } from './lock.mjs'
import { processIdentity } from './process-identity.mjs'

const MODULE = new URL('./lock.mjs', import.meta.url).href

let dir: string
let path: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-lock-'))
  path = join(dir, 'deep', 'lock')
})

afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** A process that takes the lock, notes so, works for a while, notes so, and ends. */
function contender(name: string, workMs: number) {
  const program = `
    import { appendFileSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { withLock } from ${JSON.stringify(MODULE)}
    await withLock(${JSON.stringify(path)}, async () => {
      appendFileSync(${JSON.stringify(join(dir, 'log'))}, '${name}+ ')
      await sleep(${workMs})
      appendFileSync(${JSON.stringify(join(dir, 'log'))}, '${name}- ')
    })`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' })
}

function log(): string {
  return existsSync(join(dir, 'log')) ? readFileSync(join(dir, 'log'), 'utf8').trim() : ''
}

describe('a lock', () => {
  it('lets one process work at a time, and all of them in the end', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    await Promise.all(names.map((name) => once(contender(name, 30), 'exit')))
    const turns = log().split(' ')
    expect(turns).toHaveLength(12)
    for (let turn = 0; turn < turns.length; turn += 2) {
      expect(turns[turn + 1]).toBe(turns[turn]?.replace('+', '-'))
    }
    expect(existsSync(path)).toBe(false)
  })

  it('is taken over by exactly one of many when its holder was killed', async () => {
    const holder = contender('x', 60_000)
    await until(() => log() === 'x+')
    const exited = once(holder, 'exit')
    holder.kill('SIGKILL')
    await exited
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => once(contender(name, 30), 'exit')))
    const turns = log().split(' ').slice(1)
    expect(turns).toHaveLength(8)
    for (let turn = 0; turn < turns.length; turn += 2) {
      expect(turns[turn + 1]).toBe(turns[turn]?.replace('+', '-'))
    }
  })

  it('is given back when the work fails', async () => {
    const failing = withLock(path, () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    expect(await withLock(path, () => Promise.resolve('again'))).toBe('again')
  })

  it('is not taken from a live process: whoever waits too long says who has it', async () => {
    await withLock(path, async () => {
      const told: string[] = []
      const late = withLock(path, () => Promise.resolve(), { waitMs: 300, onWait: (pid) => told.push(pid) })
      await expect(late).rejects.toThrow(`process ${process.pid} has held ${path} for too long`)
      expect(told).toEqual([String(process.pid)])
    })
  })

  it('knows a dead holder although its process id is in use again', async () => {
    await withLock(path, () => Promise.resolve())
    const [pid] = processIdentity(process.pid).split(' ')
    writeFileSync(path, `${pid} 1`)
    expect(await withLock(path, () => Promise.resolve('taken'), { waitMs: 2_000 })).toBe('taken')
  })

  it('survives a crash between making the file and writing the holder into it', async () => {
    await withLock(path, () => Promise.resolve())
    writeFileSync(path, '')
    utimesSync(path, new Date(0), new Date(0))
    expect(await withLock(path, () => Promise.resolve('taken'), { waitMs: 2_000 })).toBe('taken')
  })
})
