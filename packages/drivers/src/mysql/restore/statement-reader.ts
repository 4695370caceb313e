/** A statement with all of its lines. */
export interface Statement {
  /** As it stands in the dump, one character for each byte, with its delimiter and its last newline. */
  readonly text: string
  /** What the server reads: comments of versions opened, others gone, blanks between words made one. */
  readonly code: string
  /** The same without what stands in quotes. */
  readonly bare: string
}

/** Why a text cannot be read in the way that the client reads it. */
export class UnreadableText extends Error {}

const PLAIN = /[^'"`#\-/*\\;]+/y
const VERSIONED = /\/\*M?!(?:\d{5,6})? ?/y
const LINE_COMMENT = /--(?:\s|$)/y
const COMMAND = /^\s*delimiter(?:\s|$)/i

/**
 * Puts the lines of statements together, and finds where each ends: in the way of the MySQL and MariaDB clients, for
 * which a delimiter in a string or a comment is none. One character stands for one byte.
 */
export class StatementReader {
  #delimiter = ';'
  #quote = ''
  #inComment = false
  /** Comments of versions that are open. */
  #depth = 0
  #text: string[] = []
  #code: string[] = []
  #bare: string[] = []
  /** Set from the statements of the dump: a backslash in a string is one. */
  noBackslashEscapes = false

  get isInside(): boolean {
    return this.#text.length > 0
  }

  get isPlain(): boolean {
    return this.#delimiter === ';'
  }

  use(delimiter: ';' | ';;'): void {
    this.#delimiter = delimiter
  }

  /** Takes a line without its newline. The statement, if this was its last line. Throws {@link UnreadableText}. */
  take(line: string): Statement | null {
    if (this.#quote === '' && !this.#inComment && COMMAND.test(line)) {
      throw new UnreadableText(
        'a line of a statement begins with the word delimiter, a command of the client',
      )
    }
    this.#text.push(line, '\n')
    let at = 0
    while (at < line.length) {
      if (this.#quote !== '') at = this.#inString(line, at)
      else if (this.#inComment) at = this.#comment(line, at)
      else if (line.startsWith(this.#delimiter, at)) return this.#end(line, at)
      else at = this.#inCode(line, at)
    }
    this.#put(this.#quote === '' ? ' ' : '\n')
    return null
  }

  #end(line: string, at: number): Statement {
    if (line.slice(at + this.#delimiter.length).trim() !== '') {
      throw new UnreadableText('something follows a statement on its line')
    }
    if (this.#depth > 0) throw new UnreadableText('a statement ends within a comment')
    const [text, code, bare] = [this.#text.join(''), this.#code.join('').trim(), this.#bare.join('').trim()]
    this.#text = []
    this.#code = []
    this.#bare = []
    return { text, code, bare }
  }

  #inCode(line: string, at: number): number {
    const run = match(PLAIN, line, at)
    if (run !== null) {
      this.#put(run.replace(/\s+/g, ' '))
      return at + run.length
    }
    const character = line.charAt(at)
    if (character === '\\') throw new UnreadableText('a command of the client stands in a statement')
    if (character === '#' || match(LINE_COMMENT, line, at) !== null) return line.length
    if (line.startsWith('/*', at)) return this.#openComment(line, at)
    if (this.#depth > 0 && line.startsWith('*/', at)) {
      this.#depth -= 1
      this.#put(' ')
      return at + 2
    }
    if (`'"\``.includes(character)) this.#quote = character
    this.#put(character)
    return at + 1
  }

  #openComment(line: string, at: number): number {
    const versioned = match(VERSIONED, line, at)
    if (versioned === null) this.#inComment = true
    else this.#depth += 1
    this.#put(' ')
    return at + (versioned?.length ?? 2)
  }

  #comment(line: string, at: number): number {
    const end = line.indexOf('*/', at)
    if (end < 0) return line.length
    this.#inComment = false
    return end + 2
  }

  #inString(line: string, at: number): number {
    const escapes = this.#quote !== '`' && !this.noBackslashEscapes
    let end = at
    while (end < line.length && line.charAt(end) !== this.#quote) {
      end += escapes && line.charAt(end) === '\\' ? 2 : 1
    }
    end = Math.min(end, line.length)
    this.#code.push(line.slice(at, end))
    if (end === line.length) return end
    const quote = this.#quote
    this.#quote = ''
    this.#put(quote)
    return end + 1
  }

  #put(text: string): void {
    // blanks on both sides of a comment are one
    const isDoubled = text.startsWith(' ') && (this.#code.at(-1)?.endsWith(' ') ?? false)
    const added = isDoubled && this.#quote === '' ? text.slice(1) : text
    if (added === '') return
    this.#code.push(added)
    if (added !== '\n') this.#bare.push(added)
  }
}

function match(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? null
}
