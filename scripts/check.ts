// npm run check: style, types, layers and what nobody uses. Changes nothing; exits with 1 if anything is wrong.
import { dirname, join } from 'node:path'
import { findLayerViolations } from './lib/layers.ts'
import type { ToolResult } from './lib/run-tool.ts'
import { runTool } from './lib/run-tool.ts'

const ROOT = dirname(import.meta.dirname)

interface Step {
  readonly name: string
  run(): Promise<ToolResult>
  /** Whether what it prints matters also when nothing is wrong. */
  readonly showsAlways?: boolean
}

const STEPS: readonly Step[] = [
  // its warnings, such as a file that grows long, are there to be read
  { name: 'style', run: () => tool('@biomejs/biome/bin/biome', 'check'), showsAlways: true },
  { name: 'types', run: () => tool('typescript/bin/tsc', '--project', 'tsconfig.json') },
  { name: 'layers', run: layers },
  { name: 'unused', run: () => tool('knip/bin/knip.js', '--no-progress') },
]

let failures = 0
for (const { name, run, showsAlways } of STEPS) {
  const { ok, output, seconds } = await run()
  if (!ok) failures += 1
  if (output !== '' && (!ok || showsAlways)) print(output)
  print(`${ok ? 'ok    ' : 'failed'} ${name} (${seconds.toFixed(1)} s)`)
}
process.exitCode = failures === 0 ? 0 : 1

async function tool(script: string, ...args: readonly string[]): Promise<ToolResult> {
  return await runTool([process.execPath, join(ROOT, 'node_modules', script), ...args], ROOT)
}

async function layers(): Promise<ToolResult> {
  const startedAt = performance.now()
  const violations = findLayerViolations(ROOT)
  return {
    ok: violations.length === 0,
    output: violations.join('\n'),
    seconds: (performance.now() - startedAt) / 1000,
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
