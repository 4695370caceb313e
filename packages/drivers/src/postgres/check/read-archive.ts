import type { DumpDescription } from '@holdfast/core'
import { AppError, startTool, ToolFailure } from '@holdfast/core'
import type { Finding } from '../../client-server/finding.ts'
import { unsound } from '../../client-server/finding.ts'
import type { ClientTools } from '../client-tools.ts'
import { openArchive } from '../restore/archive.ts'
import { failureOfTool } from '../tool-failure.ts'
import type { ArchiveFormat } from './check-outside.ts'

/** How pg_restore names what is wrong with an archive, in its own language, and what that means. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/too short|end of file/, 'it ends too early'],
  [/magic string|not appear to be a valid|unsupported version/, 'it does not begin as an archive of pg_dump'],
  [/tar header|find header for file/, 'its entries are damaged'],
  [/could not open (?:input|TOC|large object TOC) file/, 'a part of it is missing'],
  [/compress/, 'its compressed data is damaged'],
]
/** What says something about this machine, or about the program, and nothing about the archive. */
const OF_MACHINE =
  /out of memory|Cannot allocate|Permission denied|Too many open files|Input\/output error|No space left|not support/
/** How a program ends that damaged data has led astray. */
const ASTRAY: readonly (NodeJS.Signals | null)[] = ['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGFPE', 'SIGILL']

/**
 * Lets pg_restore read an archive to its end: its table of contents can be read even of half an archive. The program
 * must not be older than the one that wrote it. Rejects if it could not do its work.
 */
export async function readArchive(
  tools: Pick<ClientTools, 'pgRestore'>,
  dump: DumpDescription,
  { path, kind }: { readonly path: string; readonly kind: ArchiveFormat['kind'] },
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const { toc } = await openArchive(tools, dump, path, signal)
    const args = ['-F', kind, '-f', '/dev/null', path]
    const io = { stdin: 'ignore', stdout: 'ignore' } as const
    const reading = await startTool({ program: tools.pgRestore, args, ...io }, signal)
    await reading.done
    return {
      valid: true,
      message: `pg_restore reads the whole archive with its ${toc?.all.length ?? 0} entries`,
    }
  } catch (error) {
    return unsound(`the dump is damaged: ${damageIn(error)}`)
  }
}

/** Throws unless it is the archive that is to blame. */
function damageIn(error: unknown): string {
  const failure = error instanceof AppError ? error : failureOfTool(error, 'pg_restore')
  if (!(failure.cause instanceof ToolFailure)) throw failure
  const { code, killedBy, stderrTail } = failure.cause.exit
  if (code === null) {
    if (!ASTRAY.includes(killedBy)) throw failure
    return `pg_restore was ended by ${killedBy} while it read it`
  }
  if (OF_MACHINE.test(stderrTail)) throw failure
  return REASONS.find(([pattern]) => pattern.test(stderrTail))?.[1] ?? 'pg_restore cannot read it'
}
