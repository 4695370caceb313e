// npm test: all tests, or those that the arguments select as `vitest run` takes them. Its last line counts them.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endLeftProcesses, RUN_VARIABLE } from './lib/left-behind.ts'
import { countTests } from './lib/test-totals.ts'

const VITEST = join(import.meta.dirname, '..', 'node_modules', 'vitest', 'vitest.mjs')
const COMPILE_CACHE = join(import.meta.dirname, '..', '.tools', 'compile-cache')
const ENDING_MS = 3_000
/** Longer than Vitest waits for its own workers to end. */
const CLOSING_MS = 30_000

// tests make their files in a directory of their own, so that whatever they forget is seen, and removed
const workspace = mkdtempSync(join(tmpdir(), 'holdfast-'))
// servers that refuse to run as root must get through to theirs
chmodSync(workspace, 0o711)
try {
  process.exitCode = await main(process.argv.slice(2))
} finally {
  rmSync(workspace, { recursive: true, force: true })
}

async function main(selection: readonly string[]): Promise<number> {
  const run = randomUUID()
  const temporary = mkdtempSync(join(workspace, 't-'))
  chmodSync(temporary, 0o711)
  const report = join(workspace, 'report.json')
  const exitCode = await runVitest(selection, report, {
    ...process.env,
    TMPDIR: temporary,
    // npm and others would keep theirs in the temporary directory; ours makes each process start in half the time
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    [RUN_VARIABLE]: run,
  })
  const { passed, failed, skipped } = countTests(readReport(report), exitCode)
  const complaints = [
    ...(await endLeftProcesses(run, ENDING_MS)).map(
      ({ pid, command }) => `a test left a process running: ${pid} ${command}`,
    ),
    ...readdirSync(temporary).map((name) => `a test left a file behind: ${name}`),
  ]
  for (const name of skipped) print(`skipped: ${name}`)
  for (const complaint of complaints) print(complaint)
  print(`${passed} passed, ${failed + complaints.length} failed`)
  return failed + complaints.length === 0 ? 0 : 1
}

async function runVitest(
  selection: readonly string[],
  report: string,
  env: NodeJS.ProcessEnv,
): Promise<number | null> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const child = spawn(process.execPath, [VITEST, 'run', ...reporters, ...selection], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill('SIGTERM'))
  }
  // a test that leaves a child with an open pipe keeps Vitest from ending, for ever; its report is complete by then
  const watch = setInterval(() => {
    if (ageMs(report) > CLOSING_MS) child.kill('SIGKILL')
  }, 1_000)
  return await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => resolve(code))
  }).finally(() => clearInterval(watch))
}

/** How long ago a file was written; 0 if it is not there. */
function ageMs(file: string): number {
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {}
  return mtimeMs === undefined ? 0 : Date.now() - mtimeMs
}

function readReport(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // Vitest ended before it could write one
    return null
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
