import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { ToolExit } from '@holdfast/core'
import { AppError, ToolFailure } from '@holdfast/core'
import { meaningOf } from '../known-messages.ts'
import { failureOfTool } from '../tool-failure.ts'
import { NOT_OF_DUMP } from './not-of-dump.ts'
import type { ToolLog } from './tool-log.ts'

/** What a script says before each of its objects. */
const HEADING = /^-- (?:Data for )?Name: (.{1,200}?); Type: ([A-Z ]{1,40}); Schema: (.{1,70}?); /
/** Classes of SQLSTATE that say something about the server, or about what we may do there, not about the dump. */
const OF_SERVER = ['08', '25', '28', '40', '53', '55', '57', '58', 'XX']
const NOT_ALLOWED = '42501'

/**
 * Why a dump could not be loaded: VERIFICATION_FAILED with the object that failed if the dump is to blame, which can
 * be repeated with the same end; otherwise whatever the server, the network or the tool had.
 */
export async function failureOfLoad(
  error: unknown,
  what: string,
  log: ToolLog,
  script: string | null,
): Promise<AppError> {
  const { failure } = log
  const cause = error instanceof AppError ? error.cause : error
  if (!(cause instanceof ToolFailure)) return failureOfTool(error, what)
  const at = script === null || log.scriptLine === null ? null : await objectAtLine(script, log.scriptLine)
  const told = failureOfTool(failure === null ? error : toolFailed(cause.exit, failure), what)
  const message = at === null ? told.message : `${told.message} (at ${at})`
  const other = meaningOf(log.error, NOT_OF_DUMP)
  if (other !== null && told.code === 'TOOL_FAILED') {
    const { code, message: reason, ...options } = other
    const place = / \(at [^\n]*\)$/.exec(message)?.[0] ?? ''
    return new AppError(code, `${what}: ${reason}${place}`, { ...options, cause: told.cause })
  }
  if (failure === null) return told
  if (!isOfDump(told, cause.exit, log)) {
    return new AppError(told.code, message, {
      ...(told.hint === null ? {} : { hint: told.hint }),
      cause: told.cause,
    })
  }
  // a reason that is not known could quote rows
  const reason = message.replace(/exited with \d+/, 'PostgreSQL refused it and says why in its log')
  return new AppError('VERIFICATION_FAILED', `not restorable: ${reason}`, {
    hint: 'the bytes are those of the backup: the source held something that PostgreSQL can dump and not load',
    cause: told.cause,
  })
}

function toolFailed(exit: ToolExit, stderrTail: string): AppError {
  return new AppError('TOOL_FAILED', 'failed', { cause: new ToolFailure({ ...exit, stderrTail }) })
}

function isOfDump({ code }: AppError, exit: ToolExit, { error }: ToolLog): boolean {
  if (code === 'ARTIFACT_CORRUPT') return true
  if (code !== 'TOOL_FAILED' || exit.code === null) return false
  const state = /\p{Lu}+: {2}([0-9A-Z]{5}): /u.exec(error)?.[1]
  if (state !== undefined) return state !== NOT_ALLOWED && !OF_SERVER.includes(state.slice(0, 2))
  // in another language nobody knows what it says
  return /ERROR: {2}/.test(error) || /^(?:pg_restore|psql:\S+:\d+): error: (?!.*\p{Lu}+: {2})/u.test(error)
}

/** The object to which a line of a script belongs. */
async function objectAtLine(script: string, lineNumber: number): Promise<string | null> {
  let object: string | null = null
  let at = 0
  const source = createReadStream(script, { encoding: 'latin1' })
  try {
    for await (const line of createInterface({ input: source, crlfDelay: 0 })) {
      const [, name, type, schema] = HEADING.exec(line.slice(0, 400)) ?? []
      if (name !== undefined) object = `${type} ${schema} ${Buffer.from(name, 'latin1').toString()}`
      at += 1
      if (at >= lineNumber) break
    }
  } finally {
    source.destroy()
  }
  return object
}
