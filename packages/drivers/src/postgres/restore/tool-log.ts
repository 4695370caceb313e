/** Longer lines are values or statements, and of no use. */
const LONGEST_LINE = 2_000
/** What follows an error belongs to it; after that come the errors of parallel processes that were ended with it. */
const LINES_KEPT = 12

/** One of these stands in what pg_restore prints for each entry of an archive; parallel ones share a line at times. */
const ENTRY = /creating [A-Z][A-Z ]* "|executing [A-Z][A-Z ]* |processing data for table "|processing BLOBS/g
const ENTRY_AT_FAULT = /^pg_restore: from TOC entry /
/** A process begins its line where another one has just begun its own. */
const ERROR = /^(?:pg_restore: ?)*(?=pg_restore: error: )/
/** What its other processes say when one has ended, which has said itself why. */
const ERROR_OF_ANOTHER = /error: (?:a worker process died|could not (?:write to|read from) the communication)/
/** psql tells warnings in the same way; an error is the last that it tells. */
const MESSAGE = /^psql: error: |^psql:[^\n]*?:\d+: /

/** What is to be known of the stderr of pg_restore and psql while they work: how far they are, and where they fail. */
export class ToolLog {
  entries = 0
  #rest = ''
  #entryAtFault = ''
  #aftermath = ''
  #kept: string[] = []

  readonly hear = (text: string): void => {
    const lines = `${this.#rest}${text}`.split('\n')
    this.#rest = (lines.pop() ?? '').slice(-LONGEST_LINE)
    for (const line of lines) this.#read(line.slice(0, LONGEST_LINE))
  }

  /** What was printed about the error, however much came after it. Null if there was none. */
  get failure(): string | null {
    return this.#kept.length === 0 ? null : [this.#entryAtFault, ...this.#kept].join('\n')
  }

  /** Of the entry of an archive that failed. */
  get entryNumber(): number | null {
    const number = /entry (\d+);/.exec(this.#entryAtFault)?.[1]
    return number === undefined ? null : Number(number)
  }

  /** Its first line alone, or what other processes said of it. */
  get error(): string {
    return this.#kept[0] ?? this.#aftermath
  }

  /** The line of the script in which psql found it. */
  get scriptLine(): number | null {
    const line = /^psql:[^\n]*?:(\d+): /.exec(this.error)?.[1]
    return line === undefined ? null : Number(line)
  }

  /** pg_restore leaves out the schema of what fails; its list of the archive has it. */
  nameEntry(listed: string): void {
    this.#entryAtFault = `pg_restore: from TOC entry ${listed}`
  }

  #read(line: string): void {
    this.entries += line.match(ENTRY)?.length ?? 0
    if (MESSAGE.test(line)) this.#kept = []
    else if (this.#kept.length === 0) {
      if (ENTRY_AT_FAULT.test(line)) this.#entryAtFault = line
      if (ERROR_OF_ANOTHER.test(line)) this.#aftermath = line
      if (!ERROR.test(line) || ERROR_OF_ANOTHER.test(line)) return
    }
    if (this.#kept.length < LINES_KEPT) this.#kept.push(line.replace(ERROR, ''))
  }
}
