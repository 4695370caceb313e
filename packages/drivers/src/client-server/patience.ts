/** How patient an engine is, and how much it does at once. Waits for connections and locks are set in the URL. */
export interface Patience {
  /** How often a server is asked whether it still answers while a tool works on it. */
  readonly askEveryMs: number
  /** How long a server may leave that unanswered before what works on it is given up. */
  readonly silentForMs: number
  /** How long ending what a failed or lost operation left on the server may take. */
  readonly tidyWithinMs: number
  /** Sessions that count rows, and processes of a program that knows how, on one database at the same time. */
  readonly parallel: number
}

export const DEFAULT_PATIENCE: Patience = {
  askEveryMs: 5_000,
  silentForMs: 60_000,
  tidyWithinMs: 10_000,
  parallel: 2,
}
