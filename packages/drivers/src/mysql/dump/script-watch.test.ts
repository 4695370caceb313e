import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { rejectsWith } from '@holdfast/testing'
import { describe, it } from 'vitest'
import { ScriptWatch } from './script-watch.ts'

const INSERT = `INSERT INTO \`t\` VALUES (1,'${'x'.repeat(500)};\\n'),\n(2,'a''b;');\n`
const SCRIPT = `/*M!999999\\- enable the sandbox mode */ 
-- MariaDB dump 10.19
SET x = 1;

--
-- Table structure for table \`t\`
--

DROP TABLE IF EXISTS \`t\`;
SET character_set_client = utf8mb4;
CREATE TABLE \`t\` (
  \`id\` int
);
${INSERT}DROP SEQUENCE IF EXISTS \`s\`;
CREATE SEQUENCE \`s;
\` start with 1;
CREATE TABLE \`ü \`\` ☃\` (\`a\` int);
DELIMITER ;;
CREATE PROCEDURE p() BEGIN
SELECT 1;
CREATE TABLE \`not one\` (a int);
END ;;
DELIMITER ;
CREATE TABLE \`last\` (\`a\` int);

-- Dump completed on 2026-11-21  1:39:27
`

async function watch(script: string, pieceBytes: number): Promise<ScriptWatch> {
  const bytes = Buffer.from(script)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes))
  const watched = new ScriptWatch()
  const passed = await buffer(Readable.from(pieces).pipe(watched))
  assert.ok(passed.equals(bytes))
  return watched
}

describe('what is seen of a dump that passes', () => {
  it.each([1, 2, 7, 64, 1_000, 100_000])('is the same in pieces of %d bytes', async (pieceBytes) => {
    const watched = await watch(SCRIPT, pieceBytes)
    assert.deepEqual(watched.tables, ['t', 'ü ` ☃', 'last'])
    assert.equal(watched.largestStatementBytes, Buffer.byteLength(INSERT))
    await watched.confirm()
  })

  it.each([
    ['is cut at a statement', SCRIPT.replace(/\n-- Dump completed[\s\S]*/, '')],
    ['is cut in its last line', SCRIPT.slice(0, -1)],
    ['goes on after its last line', `${SCRIPT}SELECT 1;\n`],
    ['is empty', ''],
    ['has its last line in a value', `INSERT INTO t VALUES ('-- Dump completed on 1');\n`],
  ])('is no whole dump if it %s', async (_how, script) => {
    const watched = await watch(script, 1_000)
    const failure = await rejectsWith('TOOL_FAILED', watched.confirm())
    assert.match(failure.message, /does not end/)
  })
})
