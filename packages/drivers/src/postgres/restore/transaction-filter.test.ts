import { describe, expect, it } from 'vitest'
import { TransactionFilter } from './transaction-filter.ts'

const SCRIPT = `CREATE FUNCTION f() AS '
BEGIN;
COMMIT;
';
COPY t FROM stdin;
BEGIN;
${'long '.repeat(300)}
COMMIT;
\\.

--
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -
--

BEGIN;

SELECT pg_catalog.lo_open('1', 131072);
SELECT pg_catalog.lowrite(0, '\\x${'00'.repeat(600)}');
SELECT pg_catalog.lo_close(0);

COMMIT;

--
-- Name: t; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE t ADD CHECK (true);
BEGIN;
COMMIT;
`

const EXPECTED = SCRIPT.replace('BEGIN;\n\nSELECT pg_catalog.lo_open', '\nSELECT pg_catalog.lo_open').replace(
  'lo_close(0);\n\nCOMMIT;\n',
  'lo_close(0);\n\n',
)

describe('TransactionFilter', () => {
  it.each([1, 7, 64, 1000, 100_000])(
    'takes out transactions around large objects alone, in pieces of %i bytes',
    (size) => {
      const filter = new TransactionFilter()
      const script = Buffer.from(SCRIPT)
      let passed = ''
      let rest = Buffer.alloc(0)
      for (let at = 0; at < script.length; at += size) {
        const both = Buffer.concat([rest, script.subarray(at, at + size)])
        const { kept, from } = filter.take(both)
        passed += kept.toString()
        rest = Buffer.from(both.subarray(from))
      }
      expect(passed + rest.toString()).toBe(EXPECTED)
    },
  )
})
