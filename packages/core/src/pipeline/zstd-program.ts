import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Tool } from './child-tool.ts'
import { startTool } from './child-tool.ts'
import { together } from './together.ts'

/**
 * Runs the `zstd` program from a descriptor or a stream into `into`, which is left open: only when this resolves
 * is everything there and the program known to have succeeded. Rejects with TOOL_FAILED, the failure of either
 * stream, or the cancellation; the program is gone then.
 */
export async function runZstd(
  args: readonly string[],
  from: number | Readable,
  into: Writable,
  signal: AbortSignal,
): Promise<void> {
  const stdin = typeof from === 'number' ? from : 'pipe'
  const tool = await startTool({ program: 'zstd', args, stdin, stdout: 'pipe' }, signal)
  const { stdout } = tool
  if (stdout === null) throw new Error('a piped stdout is missing')
  await together(signal, (both) => {
    // its end may be due to another task's failure, of which the tool's own signal knows nothing
    both.addEventListener('abort', () => tool.kill(), { once: true })
    return [
      pipeline(stdout, into, { end: false, signal: both }),
      typeof from === 'number' ? tool.done : feed(from, tool, both),
      tool.done,
    ]
  })
}

async function feed(from: Readable, tool: Tool, signal: AbortSignal): Promise<void> {
  if (tool.stdin === null) throw new Error('a piped stdin is missing')
  try {
    await pipeline(from, tool.stdin, { signal })
  } catch (error) {
    // a program that fails closes its input: its exit says why, the broken pipe does not
    if (isBrokenPipe(error)) {
      const { code } = await tool.exit
      if (code !== 0) await tool.done
    }
    throw error
  }
}

function isBrokenPipe(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'EPIPE' || error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
