import assert from 'node:assert/strict'
import { basename, dirname } from 'node:path'
import { describe, it } from 'vitest'
import { LONGEST_PATH, restoreFiles } from './file-names.ts'

const ID = '01890a5d-ac96-774b-bcce-b302099a8057'

describe('the files of a restore', () => {
  it('lie beside the database and tell what they are', () => {
    const files = restoreFiles('/data/shop.db', ID)
    assert.ok(files)
    assert.equal(files.staged, `/data/.shop.db.holdfast-${ID}.staged`)
    assert.equal(files.asides[0], `/data/shop.db.replaced-${ID}`)
  })

  it('have names that no file system refuses, however long that of the database is', () => {
    for (const name of ['x'.repeat(247), 'ü'.repeat(120), 'x'.repeat(200)]) {
      const path = `/data/${name}`
      const files = restoreFiles(path, ID)
      assert.ok(files)
      for (const file of [files.staged, files.asidePart, ...files.asides]) {
        assert.equal(dirname(file), '/data')
        assert.ok(Buffer.byteLength(`${basename(file)}-journal`) <= 255, file)
      }
    }
  })

  it('have paths that SQLite opens, if it opens that of the database', () => {
    const path = `/${'d'.repeat(200)}/${'e'.repeat(200)}/${'x'.repeat(60)}`
    const files = restoreFiles(path, ID)
    assert.ok(files)
    for (const file of [files.staged, ...files.asides])
      assert.ok(Buffer.byteLength(file) <= LONGEST_PATH + 20, file)
  })

  it('differ for databases and operations that differ', () => {
    const names = ['x'.repeat(240), `${'x'.repeat(239)}y`].flatMap((name) =>
      ['one', 'two'].flatMap((id) => {
        const files = restoreFiles(`/data/${name}`, id)
        return files === null ? [] : [files.staged, files.asidePart, ...files.asides]
      }),
    )
    assert.equal(new Set(names).size, 4 * 6)
  })

  it.each(['', '.', '..', 'a/b', 'a b', 'x'.repeat(65), 'nul\0', 'new\nline'])(
    'are none for the operation id %j',
    (id) => {
      assert.equal(restoreFiles('/data/shop.db', id), null)
    },
  )
})
