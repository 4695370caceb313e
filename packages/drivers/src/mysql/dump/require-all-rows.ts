import { AppError } from '@holdfast/core'
import type { Session } from '../session.ts'

const SETTINGS =
  'SELECT CAST(@@GLOBAL.sql_select_limit AS CHAR) AS mostRows, @@GLOBAL.init_connect AS atConnect'
/** What nobody has set: all that fits into 32 or 64 bits, or half of that. */
const UNLIMITED = 2n ** 31n - 1n

/**
 * Rejects with TOOL_FAILED if the server hands out no more than some rows to whoever does not ask for all of them: dump
 * programs do not, and would end a script without the others as if it were whole.
 */
export async function requireAllRows(session: Session): Promise<void> {
  const [found] = await session.query<{ mostRows: string; atConnect: string | null }>(SETTINGS)
  const isLimited =
    BigInt(found?.mostRows ?? 0) < UNLIMITED || /sql_select_limit/i.test(found?.atConnect ?? '')
  if (!isLimited) return
  throw new AppError(
    'TOOL_FAILED',
    'the server limits rows by sql_select_limit, and a dump would lack the others',
    {
      hint: 'set sql_select_limit to DEFAULT, globally and in init_connect: whoever wants fewer rows can set it in a session',
    },
  )
}
