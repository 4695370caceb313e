import type { Session } from '../session.ts'

/** What the account of a session may do, roles that are active included. */
export interface OwnGrants {
  /** On everything, or on all of this schema. */
  allows(privilege: string): boolean
  /** On every schema. */
  allowsEverywhere(privilege: string): boolean
}

/** One line of SHOW GRANTS, or the part of it that is about privileges on schemas. */
interface Grant {
  readonly privileges: ReadonlySet<string>
  /** As it stands there, with its wildcards; null for all schemas. */
  readonly pattern: string | null
  readonly grantee: string
  readonly revokes: boolean
}

const LINE = /^(GRANT|REVOKE) (.+?) ON (\*|`(?:[^`]|``)+`|"(?:[^"]|"")+"|[\w$]+)\.\* (?:TO|FROM) (\S+)/s

/** Reads what the account of a session may do with a schema as a whole. Privileges on single tables count for nothing. */
export async function readOwnGrants(session: Session, schema: string): Promise<OwnGrants> {
  const rows = await session.query<Readonly<Record<string, string>>>('SHOW GRANTS')
  const grants = rows.flatMap((row) => readGrant(Object.values(row)[0] ?? ''))
  const [global, local] = [grants.filter(isGlobal), decisive(grants, schema)]
  const has = (of: readonly Grant[], privilege: string, revokes: boolean) =>
    of.some((grant) => grant.revokes === revokes && covers(grant, privilege))
  return {
    allowsEverywhere: (privilege) => has(global, privilege, false),
    allows: (privilege) =>
      has(local, privilege, false) || (has(global, privilege, false) && !has(local, privilege, true)),
  }
}

function readGrant(line: string): readonly Grant[] {
  const [, verb, list, place = '', grantee = ''] = LINE.exec(line) ?? []
  if (verb === undefined || list === undefined) return []
  return [
    {
      privileges: new Set(list.split(',').map((name) => name.trim().toUpperCase())),
      pattern: place === '*' ? null : unquoted(place),
      grantee,
      revokes: verb === 'REVOKE',
    },
  ]
}

function isGlobal({ pattern, revokes }: Grant): boolean {
  return pattern === null && !revokes
}

/** Of all that one grantee has on schemas, a server heeds only what fits best. */
function decisive(grants: readonly Grant[], schema: string): readonly Grant[] {
  const fitting = grants.filter(({ pattern }) => pattern !== null && matches(pattern, schema))
  return fitting.filter((grant) =>
    fitting.every((other) => other.grantee !== grant.grantee || rank(other) <= rank(grant)),
  )
}

/** A name without wildcards goes first, then the one with the most letters before its first wildcard. */
function rank({ pattern }: Grant): number {
  const at = (pattern ?? '').search(/(?<!\\)[%_]/)
  return at < 0 ? Number.POSITIVE_INFINITY : at
}

function covers({ privileges }: Grant, privilege: string): boolean {
  return privileges.has(privilege) || privileges.has('ALL PRIVILEGES') || privileges.has('ALL')
}

function unquoted(name: string): string {
  const quote = name[0]
  if (quote !== '`' && quote !== '"') return name
  return name.slice(1, -1).replaceAll(quote + quote, quote)
}

/** `%` and `_` stand for others, unless a backslash is before them. */
function matches(pattern: string, schema: string): boolean {
  const source = pattern.replace(/\\([%_])|[\\^$.*+?()[\]{}|/]|[%_]/g, (found, escaped?: string) => {
    if (escaped !== undefined) return escaped
    if (found === '%') return '.*'
    return found === '_' ? '.' : `\\${found}`
  })
  return new RegExp(`^${source}$`, 'su').test(schema)
}
