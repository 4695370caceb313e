import { spawn } from 'node:child_process'

/** How a tool ended. */
export interface ToolResult {
  readonly ok: boolean
  /** Both streams, in the order of their arrival. */
  readonly output: string
  readonly seconds: number
}

/** Runs a program without input and keeps what it prints. A program that cannot be started has failed. */
export async function runTool(
  command: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ToolResult> {
  const [file = '', ...args] = command
  const startedAt = performance.now()
  return await new Promise((resolve) => {
    let output = ''
    const keep = (chunk: Buffer): void => {
      output += chunk.toString('utf8')
    }
    const finish = (ok: boolean): void => {
      resolve({ ok, output: output.trim(), seconds: (performance.now() - startedAt) / 1000 })
    }
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => {
      output += error.message
      finish(false)
    })
    child.on('close', (code) => finish(code === 0))
  })
}
