/** What looking at a dump has found, in words for an operator. */
export interface Finding {
  readonly valid: boolean
  readonly message: string
}

/** A dump that is not what it must be. */
export function unsound(message: string): Finding {
  return { valid: false, message }
}
