import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { TestTotals } from './test-totals.ts'
import { countTests } from './test-totals.ts'

const ROOT = dirname(dirname(import.meta.dirname))

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-totals-'))
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
  await mkdir(join(dir, 'tests'))
})

afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** Runs Vitest on these files, as `npm test` does. */
async function totalsOf(files: Readonly<Record<string, string>>): Promise<TestTotals> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(dir, 'tests', name), `import { beforeAll, expect, it } from 'vitest'\n${text}`)
  }
  const report = join(dir, 'report.json')
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const args = [vitest, 'run', '--root', dir, '--reporter=json', `--outputFile.json=${report}`]
  const child = spawn(process.execPath, args, { stdio: 'ignore', cwd: dir })
  const [code]: unknown[] = await once(child, 'exit')
  const text = await readFile(report, 'utf8').catch(() => 'null')
  return countTests(JSON.parse(text), typeof code === 'number' ? code : null)
}

describe('the count of tests', () => {
  it('adds up what passed and what failed, and names what was skipped', async () => {
    const totals = await totalsOf({
      'a.test.ts': `it('works', () => {}); it('fails', () => { throw new Error('no') })`,
      'b.test.ts': `it('works', () => {}); it.skip('waits', () => {}); it.todo('later')`,
    })
    expect(totals).toEqual({ passed: 2, failed: 1, skipped: ['waits', 'later'] })
  })

  it('takes a file that does not load for a failure', async () => {
    const totals = await totalsOf({
      'a.test.ts': `it('works', () => {})`,
      'b.test.ts': `import './missing.ts'; it('works', () => {})`,
    })
    expect(totals).toEqual({ passed: 1, failed: 1, skipped: [] })
  })

  it('takes a set-up that fails for a failure', async () => {
    const totals = await totalsOf({
      'a.test.ts': `beforeAll(() => { throw new Error('no') }); it('never runs', () => {})`,
    })
    expect(totals.passed).toBe(0)
    expect(totals.failed).toBe(1)
  })

  it('takes an error outside of every test for a failure', async () => {
    const totals = await totalsOf({
      'a.test.ts': `
        it('works', async () => {
          void Promise.reject(new Error('nobody waits for me'))
          await new Promise((resolve) => setTimeout(resolve, 50))
        })`,
    })
    expect(totals).toEqual({ passed: 1, failed: 1, skipped: [] })
  })

  it('takes a run without tests for a failure', async () => {
    expect(await totalsOf({})).toEqual({ passed: 0, failed: 1, skipped: [] })
    expect(countTests(null, 0)).toEqual({ passed: 0, failed: 1, skipped: [] })
  })
})
