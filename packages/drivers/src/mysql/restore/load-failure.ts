import type { ErrorCode } from '@holdfast/core'
import { AppError, ToolFailure } from '@holdfast/core'
import { errnoInOutput, failureOfTool } from '../tool-failure.ts'

/** Of what the server lacks, or does not allow: another one, or another account, could load the dump. */
const OF_DESTINATION = [
  ...[1044, 1049, 1115, 1142, 1143, 1153, 1193, 1227, 1273, 1286, 1290, 1301, 1370, 1410, 1418, 1419, 1449],
  // formats of rows, sizes of pages, keys that encrypt
  ...[1071, 1117, 1118, 1478, 1524, 1709, 1792, 1836, 2020, 3185, 3750],
]
/** What a view says of what is not there: in another schema, which the server may not have. */
const ELSEWHERE = /(?:Table '|View '|FUNCTION |PROCEDURE )([^'.\n]{1,64})\.[^\n]{1,100}/
/** Of its disk, memory and limits, and of whoever ended the work: nothing is said about the dump. */
const OF_SERVER = [3, 20, 1021, 1026, 1030, 1037, 1038, 1041, 1114, 1135, 1317, 1969, 3024]
const PACKETS = [1153, 1301, 2020]

/**
 * Why a dump could not be loaded: VERIFICATION_FAILED with the object that failed if the dump is to blame, which can
 * be repeated with the same end; RESTORE_NOT_POSSIBLE if the server lacks something; otherwise whatever the server,
 * the network or the tool had.
 */
export function failureOfLoad(
  error: unknown,
  what: string,
  schema: string,
  objectAt: (line: number) => string | null,
): AppError {
  const told = failureOfTool(error, what)
  const exit = exitOf(error)
  const errno = exit === null ? null : errnoInOutput(exit.stderrTail)
  if (exit === null || exit.code === null || errno === null) return told
  const line = /^ERROR \d+ \([0-9A-Z]{5}\) at line (\d+)/m.exec(exit.stderrTail)?.[1]
  const object = line === undefined ? null : objectAt(Number(line))
  const at = object === null ? '' : ` (at ${object})`
  const retold = (code: ErrorCode, message: string, hint: string | null) =>
    new AppError(code, `${message}${at}`, { ...(hint === null ? {} : { hint }), cause: told.cause })
  const other = ELSEWHERE.exec(exit.stderrTail)?.[1] ?? schema
  if (OF_DESTINATION.includes(errno) || other !== schema) {
    return retold('RESTORE_NOT_POSSIBLE', told.message, hintOf(told, errno))
  }
  if (told.code !== 'TOOL_FAILED' || OF_SERVER.includes(errno))
    return retold(told.code, told.message, told.hint)
  return retold(
    'VERIFICATION_FAILED',
    `not restorable: ${told.message}`,
    'the bytes are those of the backup: the source held something that can be dumped and not loaded',
  )
}

function hintOf({ hint }: AppError, errno: number): string | null {
  return PACKETS.includes(errno) ? 'raise max_allowed_packet of the server, up to 1G' : hint
}

function exitOf(error: unknown) {
  const failure = error instanceof AppError ? error.cause : error
  return failure instanceof ToolFailure ? failure.exit : null
}
