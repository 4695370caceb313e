/** What pg_dump is known to warn of although it succeeds: identifiers at most, and what it means. */
const KNOWN: readonly (readonly [pattern: RegExp, text: string])[] = [
  [
    /there are circular foreign-key constraints (?:on this table|among these tables)/,
    'tables refer to each other in a circle by foreign keys: their rows alone could not be restored, the whole dump can',
  ],
  [
    /subscriptions not dumped because current user is not a superuser/,
    'subscriptions are not in the dump: only a superuser may read them',
  ],
  [
    /could not resolve dependency loop/,
    'objects depend on each other in a circle: a restore may fail at them',
  ],
  [/owner of .{1,80} appears to be invalid/, 'some objects belong to roles that do not exist any more'],
]

const LONGEST_LINE = 1000

/** Collects the warnings of tools that succeed in the end. */
export class ToolWarnings {
  readonly #texts = new Set<string>()
  #rest = ''
  #unknown = 0

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
    if (this.#unknown === 0) return [...this.#texts]
    const what = this.#unknown === 1 ? 'a warning' : `${this.#unknown} warnings`
    return [
      ...this.#texts,
      `pg_dump printed ${what} that nothing is known of: a drill shows whether it matters`,
    ]
  }

  #read(line: string): void {
    if (!/^pg_dump(?:all)?: (?:warning|error): /.test(line)) return
    const known = KNOWN.find(([pattern]) => pattern.test(line))
    if (known === undefined) this.#unknown += 1
    else this.#texts.add(known[1])
  }
}
