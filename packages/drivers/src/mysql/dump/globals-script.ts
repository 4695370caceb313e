import type { GlobalsChoice } from '@holdfast/core'
import type { Flavour } from '../flavours.ts'
import { quoteAccount } from '../schema/accounts.ts'
import { textLiteral } from './text-literal.ts'

/** An account or a role, with what the server prints about it. */
export interface Account {
  /** As a statement needs it. */
  readonly quoted: string
  readonly kind: 'user' | 'role' | 'everybody'
  /** What SHOW CREATE USER prints; null for roles of MariaDB and for everybody. */
  readonly createSql: string | null
  /** What SHOW GRANTS prints. */
  readonly grants: readonly string[]
  /** Of MariaDB, which tells it apart; null if there is none. */
  readonly defaultRole: string | null
}

/** What accounts become, in an order in which each statement finds what it names. */
export function globalsScript(accounts: readonly Account[], flavour: Flavour, choice: GlobalsChoice): string {
  const grants = accounts.flatMap((account) => account.grants.flatMap((line) => readGrant(line, account)))
  const sections: readonly (readonly [string, readonly string[]])[] = [
    [
      'roles',
      accounts
        .filter(({ kind }) => kind === 'role')
        .map(({ quoted }) => `CREATE ROLE IF NOT EXISTS ${quoted}`),
    ],
    [
      'accounts: those that exist stay as they are',
      accounts.flatMap((account) => createUser(account, flavour, choice)),
    ],
    ['privileges', grants.filter(({ on }) => on === null).map(({ sql }) => sql)],
    ['default roles', accounts.flatMap((account) => defaultRoles(account))],
    ['privileges on single objects, where these exist by now', grants.flatMap(conditional)],
  ]
  return [
    '-- accounts, roles and privileges of the whole server',
    'SET NAMES utf8mb4;',
    `${inMode('')};`,
    ...sections.flatMap(([title, statements]) => ['', `-- ${title}`, ...statements.map((sql) => `${sql};`)]),
    '',
  ].join('\n')
}

/** Where one privilege is, if not on schemas. */
interface ObjectOfGrant {
  readonly kind: string
  readonly schema: string
  readonly name: string
}

interface ReadGrant {
  readonly sql: string
  readonly on: ObjectOfGrant | null
}

const NAME = '`(?:[^`]|``)*`'
const QUOTED_USER = `(?:${NAME}|'(?:[^'\\\\]|\\\\.|'')*')`
const ACCOUNT = `${QUOTED_USER}(?:@${QUOTED_USER})?|PUBLIC`
const ON_EVERYTHING = new RegExp(`^(GRANT .+? ON \\*\\.\\* TO (?:${ACCOUNT}))(.*)$`, 's')
const ON_OBJECT = new RegExp(
  `^GRANT .+? ON (?:(TABLE|PROCEDURE|FUNCTION|PACKAGE BODY|PACKAGE) )?(${NAME})\\.(${NAME}) TO `,
  's',
)

function readGrant(line: string, { kind }: Account): readonly ReadGrant[] {
  // default roles are of their own section
  if (!/^(?:GRANT|REVOKE) /.test(line)) return []
  const [, grant, rest = ''] = ON_EVERYTHING.exec(line) ?? []
  if (grant !== undefined) {
    // the password's hash is in it, and what CREATE USER says already
    const option = / WITH .*GRANT OPTION/.test(rest.replace(/'(?:[^'\\]|\\.|'')*'/g, ''))
      ? ' WITH GRANT OPTION'
      : ''
    // everything but a role has that from the beginning
    return /^GRANT USAGE ON/.test(grant) && kind === 'user' && option === ''
      ? []
      : [{ sql: grant + option, on: null }]
  }
  const [, type = 'TABLE', schema, name] = ON_OBJECT.exec(line) ?? []
  if (schema === undefined || name === undefined) return [{ sql: line, on: null }]
  return [{ sql: line, on: { kind: type, schema: unticked(schema), name: unticked(name) } }]
}

/** A privilege on what is not there is an error, and what is there differs from one server to the next. */
function conditional({ sql, on }: ReadGrant): readonly string[] {
  if (on === null) return []
  const { kind, schema, name } = on
  const condition =
    kind === 'TABLE'
      ? `information_schema.tables WHERE table_schema = ${textLiteral(schema)} AND table_name = ${textLiteral(name)}`
      : `information_schema.routines WHERE routine_schema = ${textLiteral(schema)} AND routine_name = ${textLiteral(name)} AND routine_type = '${kind}'`
  const prepared = [
    'PREPARE holdfast_grant FROM @holdfast_grant',
    'EXECUTE holdfast_grant',
    'DEALLOCATE PREPARE holdfast_grant',
  ]
  return [
    `SET @holdfast_grant = IF(EXISTS (SELECT * FROM ${condition}), ${textLiteral(sql)}, 'DO 0')`,
    // other modes know no packages
    ...(kind.startsWith('PACKAGE') ? [inMode('ORACLE'), ...prepared, inMode('')] : prepared),
  ]
}

function inMode(mode: string): string {
  return `SET SESSION sql_mode = '${mode}'`
}

const ROLES = new RegExp(` DEFAULT ROLE ((?:(?:${ACCOUNT})(?:, ?)?)+)`)

function createUser({ createSql }: Account, flavour: Flavour, choice: GlobalsChoice): readonly string[] {
  if (createSql === null) return []
  const sql = createSql.replace(/^CREATE USER /, 'CREATE USER IF NOT EXISTS ').replace(ROLES, '')
  if (choice === 'with-passwords') return [sql]
  return [flavour.name === 'MariaDB' ? withoutPasswordsOfMariadb(sql) : withoutPasswordsOfMysql(sql)]
}

const TEXT = "(?:'(?:[^'\\\\]|\\\\.|'')*'|0x[0-9A-Fa-f]+)"
/** Ways to log in that know no password of the server. */
const KEPT = ['unix_socket', 'pam', 'gssapi', 'named_pipe']

/** Nobody can log in with what MariaDB calls invalid, until a new password is set. */
function withoutPasswordsOfMariadb(sql: string): string {
  const invalid = `mysql_native_password USING 'invalid'`
  return sql
    .replace(new RegExp(` IDENTIFIED BY PASSWORD ${TEXT}`), ` IDENTIFIED VIA ${invalid}`)
    .replace(new RegExp(`( VIA | OR )(\\w+) USING ${TEXT}`, 'g'), (found, before: string, plugin: string) =>
      KEPT.includes(plugin) ? found : `${before}${invalid}`,
    )
}

/** An account without its password would let everybody in: it is locked until somebody sets a new one. */
function withoutPasswordsOfMysql(sql: string): string {
  const without = sql.replace(new RegExp(`( IDENTIFIED WITH '[^']*') AS ${TEXT}`, 'g'), '$1')
  return without === sql ? sql : without.replace(' ACCOUNT UNLOCK', ' ACCOUNT LOCK')
}

function defaultRoles({ quoted, createSql, defaultRole }: Account): readonly string[] {
  const roles = ROLES.exec(createSql ?? '')?.[1]
  if (roles !== undefined) return [`ALTER USER ${quoted} DEFAULT ROLE ${roles}`]
  return defaultRole === null ? [] : [`SET DEFAULT ROLE ${quoteAccount(defaultRole)} FOR ${quoted}`]
}

function unticked(name: string): string {
  return name.slice(1, -1).replaceAll('``', '`')
}
