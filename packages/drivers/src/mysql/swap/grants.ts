import { errnoOf } from '../failure.ts'
import type { Session } from '../session.ts'

/** Nobody of that name (any more): what was granted to them cannot be missed. */
const NO_SUCH_ACCOUNT = [1133, 1410, 1959]

/** Grants a privilege on a routine again. */
export async function giveBack(session: Session, grant: string): Promise<void> {
  try {
    await session.query(grant)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === null || !NO_SUCH_ACCOUNT.includes(errno)) throw error
  }
}
