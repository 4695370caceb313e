import { quoteName } from '../quote.ts'

/**
 * An account or role as a statement needs it. `account` is as the server keeps it: `user@host`, where only the user may
 * hold another `@`; a role has none.
 */
export function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@')
  if (at < 0) return quoteName(account)
  return `${quoteName(account.slice(0, at))}@${quoteName(account.slice(at + 1))}`
}
