import assert from 'node:assert/strict'
import { allow, fingerprintDifferences, mysqlSchemaOf, never, startMariadb } from '@holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Filling } from '../testing/swap-bench.ts'
import { SwapBench } from '../testing/swap-bench.ts'
import { swap } from './swap.ts'
import { undo } from './undo.ts'

const CUSTOMERS = 'CREATE TABLE customers (id INT PRIMARY KEY); INSERT INTO customers VALUES (1);'
const ORDERS = `SET foreign_key_checks = 0;
  CREATE TABLE orders (a INT, b INT, c INT, KEY a (a), KEY b (b, c), KEY c (c),
    CONSTRAINT \`one)\`\`\` FOREIGN KEY (a) REFERENCES customers (id) ON DELETE CASCADE ON UPDATE SET NULL,
    FOREIGN KEY (b, c) REFERENCES \`la\`\`ter\` (id, x), FOREIGN KEY (c) REFERENCES orders (c));
  INSERT INTO orders VALUES (1, NULL, NULL);
  CREATE TRIGGER tr BEFORE INSERT ON orders FOR EACH ROW SET @a = 1;`

const WHOLE: Filling = { sql: `${CUSTOMERS} ${ORDERS}` }
/** As of a backup that leaves the customers out. */
const PART: Filling = { sql: ORDERS }

describe('foreign keys on tables that are missing', () => {
  let bench: SwapBench
  beforeAll(async () => {
    bench = new SwapBench(await startMariadb())
  })
  afterAll(() => bench?.server.stop())

  /** Returns the ticket of what was replaced. */
  const replace = async (url: string, filling: Filling) => {
    const staged = await bench.stage(url, filling)
    const { replaced } = await swap(bench.parts(url), staged.ticket, allow, never)
    assert.deepEqual(fingerprintDifferences(staged.fingerprint, await bench.fingerprint(url)), [])
    return replaced?.ticket ?? assert.fail('nothing was replaced')
  }
  const putBack = (url: string, kept: string) => undo(bench.parts(url), kept, allow, never)

  it('are on tables of the database wherever theirs came from', async () => {
    const url = await bench.fill(WHOLE)
    const old = await bench.fingerprint(url)
    const kept = await replace(url, PART)
    await bench.server.sql(mysqlSchemaOf(url), `${CUSTOMERS} INSERT INTO orders VALUES (1, NULL, NULL)`)
    await putBack(url, kept)
    assert.deepEqual(fingerprintDifferences(old, await bench.fingerprint(url)), [])
    assert.deepEqual(await bench.leftovers(), [])
  })

  it('take hold of no table that comes under the name, neither there nor aside', async () => {
    const url = await bench.fill(PART)
    const schema = mysqlSchemaOf(url)
    const old = await bench.fingerprint(url)
    const kept = await replace(url, WHOLE)
    await assert.rejects(bench.server.sql(schema, 'INSERT INTO orders VALUES (7, NULL, NULL)'), /foreign key/)
    await bench.server.sql(schema, 'DELETE FROM customers; DROP TABLE orders, customers')
    await putBack(url, kept)
    assert.deepEqual(fingerprintDifferences(old, await bench.fingerprint(url)), [])
  })
})
