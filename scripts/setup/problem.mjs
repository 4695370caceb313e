/** An obstacle that set-up foresaw. What was tried and what to do is all the user needs to see: no stack trace. */
export class SetupProblem extends Error {
  /**
   * @param {string} message what went wrong
   * @param {readonly string[]} [advice] what the user can do, one line each
   */
  constructor(message, advice = []) {
    super([message, ...advice.map((line) => `  ${line}`)].join('\n'))
    this.name = 'SetupProblem'
  }
}

/**
 * The text of anything thrown, for a message that quotes it.
 *
 * @param {unknown} error
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}

/**
 * The code of a system error such as ENOENT, else undefined.
 *
 * @param {unknown} error
 */
export function systemCode(error) {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
