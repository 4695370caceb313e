/** In a row, before a value. */
const INSIDE = 0
const STRING = 1
const ESCAPED = 2
/** After a quote that ends a string, or is the first half of one inside it. */
const CLOSED = 3
const NUMBER = 4
const NULL_N = 5
const NULL_U = 6
const NULL_L = 7
/** After a whole word. */
const WORD = 8
/** The character set of a string, as in `_binary 'x'`. */
const INTRODUCER = 9
/** After the letter of `x'00'` and `b'1'`. */
const PREFIX = 10
/** Before a row, or after one. */
const BETWEEN = 11
const ENDED = 12
const WRONG = 13
const STATES = 14

const NEWLINE = 10
const DIGITS = '0123456789'
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

/**
 * Follows the rows of an INSERT to its end, byte by byte, and accepts literals alone: nothing that could call a
 * function, read another table or begin another statement.
 */
export class ValueScanner {
  #state = ENDED
  /** Newlines that have passed since the scanner was made. */
  newlines = 0

  get isOpen(): boolean {
    return this.#state !== ENDED && this.#state !== WRONG
  }

  get isWrong(): boolean {
    return this.#state === WRONG
  }

  /** To be called after the word VALUES. */
  begin(): void {
    this.#state = BETWEEN
  }

  /** Reads from a position on. Returns where the statement is over, which may be the end of the piece or a mistake. */
  scan(piece: Buffer, from: number): number {
    let state = this.#state
    let newlines = 0
    let at = from
    const end = piece.length
    for (; at < end && state < ENDED; at += 1) {
      const byte = piece[at] ?? 0
      if (byte === NEWLINE) newlines += 1
      state = TRANSITIONS[(state << 8) | byte] ?? WRONG
    }
    this.#state = state
    this.newlines += newlines
    return at
  }
}

const TRANSITIONS = transitions()

function transitions(): Uint8Array {
  const table = new Uint8Array(STATES * 256).fill(WRONG)
  const set = (state: number, bytes: string, next: number) => {
    for (const byte of Buffer.from(bytes, 'latin1')) table[(state << 8) | byte] = next
  }
  for (const state of [INSIDE, CLOSED]) beginToken(state, set)
  for (const state of [INSIDE, CLOSED, NUMBER, WORD]) endToken(state, set)
  set(BETWEEN, ' \n\r,', BETWEEN)
  set(BETWEEN, '(', INSIDE)
  set(BETWEEN, ';', ENDED)
  table.fill(STRING, STRING << 8, (STRING + 1) << 8)
  table.fill(STRING, ESCAPED << 8, (ESCAPED + 1) << 8)
  set(STRING, "'", CLOSED)
  set(STRING, '\\', ESCAPED)
  set(CLOSED, "'", STRING)
  set(NUMBER, `${DIGITS}abcdefABCDEFxX.+-`, NUMBER)
  set(NULL_N, 'U', NULL_U)
  set(NULL_U, 'L', NULL_L)
  set(NULL_L, 'L', WORD)
  set(INTRODUCER, `${LETTERS}${DIGITS}`, INTRODUCER)
  set(INTRODUCER, ' ', INSIDE)
  set(INTRODUCER, "'", STRING)
  set(PREFIX, "'", STRING)
  return table
}

type Setter = (state: number, bytes: string, next: number) => void

function beginToken(state: number, set: Setter): void {
  set(state, `${DIGITS}+-.`, NUMBER)
  set(state, 'N', NULL_N)
  set(state, '_', INTRODUCER)
  set(state, 'xXbB', PREFIX)
  set(state, "'", STRING)
}

function endToken(state: number, set: Setter): void {
  set(state, ' \n\t\r,', INSIDE)
  set(state, ')', BETWEEN)
}
