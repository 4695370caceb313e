/** Where PostgreSQL's tools begin to quote SQL or rows; it goes on until they speak of something else. */
const QUOTES =
  /^(?:\w+: )?(?:detail: |error: )?(?:DETAIL|CONTEXT|STATEMENT|QUERY|LINE \d+|(?:The )?[Cc]ommand was|[Qq]uery was)\b/
const SPEAKS = /^(?:pg_\w+|psql\S*): |^(?:ERROR|FATAL|PANIC|WARNING|NOTICE|HINT|LOCATION): /
/** Messages that are known to end in a value. */
const NAMES_VALUE =
  /^(.*(?:invalid input|invalid value|out of range|malformed|cannot cast|is not a valid|violates).*?: ?").*$/
const LONGEST_LINE = 500

/** What a tool printed, without the SQL and the rows that it quotes. */
export function withoutData(printed: string): string {
  let quoting = false
  const lines = printed.split('\n').filter((line) => {
    if (QUOTES.test(line)) quoting = true
    else if (SPEAKS.test(line)) quoting = false
    return !quoting && line.trim() !== ''
  })
  return lines.map((line) => line.replace(NAMES_VALUE, '$1…"').slice(0, LONGEST_LINE)).join('\n')
}

const NAME = String.raw`(?:"[^"\n]{1,63}"|[\w$]{1,63})(?:\.(?:"[^"\n]{1,63}"|[\w$]{1,63}))?`
const STATEMENT = new RegExp(
  String.raw`^[^\n]*(?:Command|Query) was: (?:CREATE|ALTER|DROP|COPY|REFRESH|COMMENT ON|LOCK|GRANT|REVOKE)((?: [A-Z]+){0,4}) (${NAME})`,
  'm',
)

/** Kind and name of the object at which a tool gave up, or null if it did not say. */
export function objectIn(printed: string): string | null {
  const entry = [...printed.matchAll(/^pg_restore: from TOC entry \d+; \d+ \d+ ([^\n]{1,200})/gm)].at(-1)?.[1]
  if (entry !== undefined) return entry
  const [, kind, name] = STATEMENT.exec(printed) ?? []
  if (name === undefined || kind === undefined) return null
  return `${kind.trim().toLowerCase()} ${name}`.trim()
}
