import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseDriver, SwapResult } from '@holdfast/core'
import { AppError, acceptBackup, acceptRestore, changeTarget, hasCode, registerTarget } from '@holdfast/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeDatabase, rewriteDatabase, rowsOf } from './support/databases.ts'
import { over } from './support/over.ts'
import { sqliteUrl } from './support/system.ts'
import type { Workshop } from './support/workshop.ts'
import { CALLER, openWorkshop } from './support/workshop.ts'

describe('a swap that is interrupted', () => {
  let workshop: Workshop
  let trouble: Partial<DatabaseDriver>
  let aroundSwap: (swap: () => Promise<SwapResult>) => Promise<SwapResult>
  let file: string
  let uploads: string

  beforeEach(async () => {
    trouble = {}
    aroundSwap = (swap) => swap()
    workshop = await openWorkshop({
      aroundDriver: (driver) =>
        over(driver, { swap: (...given) => aroundSwap(() => driver.swap(...given)), ...trouble }),
    })
    file = join(workshop.directory, 'shop.db')
    uploads = join(workshop.directory, 'uploads')
    await mkdir(uploads)
    await writeFile(join(uploads, 'a.txt'), 'old')
    makeDatabase(file, 'old', 100)
    await registerTarget(workshop.deps, { name: 'shop', url: sqliteUrl(file) })
  })
  afterEach(() => workshop.close())

  /** Backs up, changes database and files, and accepts a restore of what was. */
  async function acceptedRestore() {
    const { deps } = workshop
    const taken = await workshop.carryOut(acceptBackup(deps, { target: 'shop', include: [uploads] }, CALLER))
    expect(taken.error).toBeNull()
    const before = rowsOf(file)
    rewriteDatabase(file, 'new')
    await writeFile(join(uploads, 'a.txt'), 'new')
    const body = { into: { target: 'shop' }, dryRun: false, overwrite: true, confirm: 'shop' }
    return { before, accepted: acceptRestore(deps, taken.backupId ?? '', body, CALLER) }
  }

  it('after the database was swapped takes no directory back', async () => {
    const { before, accepted } = await acceptedRestore()
    trouble = {
      discardStaged: async () => {
        throw new Error('the disk is tired')
      },
    }
    const restored = await workshop.carryOut(accepted)
    expect(restored).toMatchObject({
      state: 'completed',
      result: { warnings: [expect.stringContaining('could not be removed')] },
    })
    expect(rowsOf(file)).toEqual(before)
    expect(await readFile(join(uploads, 'a.txt'), 'utf8')).toBe('old')
  })

  it.each([true, false])(
    'by a server that goes away is carried to its end (it had happened: %s)',
    async (happened) => {
      const { before, accepted } = await acceptedRestore()
      let asked = 0
      aroundSwap = async (swap) => {
        asked += 1
        if (asked > 1) return swap()
        if (happened) await swap()
        throw new AppError('OUTCOME_UNKNOWN', 'the server went away in the very commit')
      }
      const restored = await workshop.carryOut(accepted)
      expect(asked).toBe(2)
      expect(restored).toMatchObject({ state: 'completed', error: null })
      expect(rowsOf(file)).toEqual(before)
      expect(await readFile(join(uploads, 'a.txt'), 'utf8')).toBe('old')
    },
  )

  it('by a crash is carried to its end where it began, also if the target leads elsewhere by now', async () => {
    const { before, accepted } = await acceptedRestore()
    const context = await workshop.begin(accepted)
    const { restore } = workshop.handlers
    trouble = {
      swap: async () => {
        throw new AppError('FENCE_LOST', 'frozen at this moment')
      },
    }
    await expect(restore.run(context)).rejects.toSatisfy((error) => hasCode(error, 'FENCE_LOST'))
    trouble = {}
    const elsewhere = join(workshop.directory, 'elsewhere.db')
    makeDatabase(elsewhere, 'elsewhere', 5)
    const untouched = rowsOf(elsewhere)
    await changeTarget(workshop.deps, 'shop', { url: sqliteUrl(elsewhere) })

    const operation = await workshop.deps.catalog.operations.get(context.operation.id)
    const end = await restore.run({ ...context, operation, takenOver: true })
    expect(end.state).toBe('completed')
    expect(rowsOf(file)).toEqual(before)
    expect(await readFile(join(uploads, 'a.txt'), 'utf8')).toBe('old')
    expect(rowsOf(elsewhere)).toEqual(untouched)
  })
})
