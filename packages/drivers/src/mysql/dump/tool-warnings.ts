const LONGEST_LINE = 1000

/** What dump programs say although nothing is wrong. */
const HARMLESS =
  /Using a password on the command line|column statistics not supported|A partial dump from a server that has GTIDs/

/** Counts the warnings of a dump program that succeeds in the end: their texts may quote anything. */
export class ToolWarnings {
  #rest = ''
  #warnings = 0

  /** Takes what a tool prints, in pieces of any size. */
  hear(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = (lines.pop() ?? '').slice(-LONGEST_LINE)
    for (const line of lines) this.#read(line)
  }

  /** In words, safe to show. */
  list(): readonly string[] {
    this.#read(this.#rest)
    this.#rest = ''
    if (this.#warnings === 0) return []
    const what = this.#warnings === 1 ? 'a warning' : `${this.#warnings} warnings`
    return [`the dump program printed ${what} that nothing is known of: a drill shows whether it matters`]
  }

  #read(line: string): void {
    if (line.trim() !== '' && !HARMLESS.test(line)) this.#warnings += 1
  }
}
