import type { Attachment, GlobalsChoice } from '@holdfast/core'
import { AppError, hasCode } from '@holdfast/core'
import { errnoOf } from '../failure.ts'
import { quoteName } from '../quote.ts'
import type { Session } from '../session.ts'
import type { Account } from './globals-script.ts'
import { globalsScript } from './globals-script.ts'

/** Accounts that every server has, and makes for itself. */
const OF_SERVER = ['mariadb.sys', 'mysql.sys', 'mysql.session', 'mysql.infoschema']
const EVERYBODY = 'PUBLIC'

interface AccountRow {
  readonly user: string
  readonly host: string
  /** `Y` for a role of MariaDB; MySQL's roles are accounts. */
  readonly isRole: string
  readonly defaultRole: string
}

/** Rejects with DATABASE_ACCESS_DENIED beforehand if the user may not see what was asked for. */
export async function requireGlobals(session: Session, choice: GlobalsChoice): Promise<void> {
  if (choice === 'none') return
  try {
    await listAccounts(session)
    await session.query('SELECT * FROM mysql.db LIMIT 0')
  } catch (error) {
    if (!hasCode(error, 'DATABASE_ACCESS_DENIED')) throw error
    throw new AppError(
      'DATABASE_ACCESS_DENIED',
      'the user of MySQL may not read the accounts of the server',
      {
        cause: error,
        hint: "grant it SELECT on mysql.*, or ask for 'globals: none'",
      },
    )
  }
}

/** Accounts, roles and privileges of the whole server: what no dump of a database has. */
export async function dumpGlobals(session: Session, choice: GlobalsChoice): Promise<readonly Attachment[]> {
  if (choice === 'none') return []
  const rows = await listAccounts(session)
  const accounts: Account[] = []
  for (const row of rows) accounts.push(...(await readInEffect(session, row)))
  return [
    { role: 'globals', format: 'sql', content: globalsScript(accounts, session.server.flavour, choice) },
  ]
}

async function listAccounts(session: Session): Promise<readonly AccountRow[]> {
  const own = session.server.flavour.name === 'MariaDB' ? 'is_role, default_role' : "'N', ''"
  const [isRole, defaultRole] = own.split(', ')
  const rows = await session.query<AccountRow>(
    `SELECT user AS user, host AS host, ${isRole} AS isRole, ${defaultRole} AS defaultRole
     FROM mysql.user ORDER BY user, host`,
  )
  return rows.filter(({ user }) => !OF_SERVER.includes(user))
}

/** There is no such grant, and no such account. */
const NOT_IN_EFFECT = [1141, 1133]

/** A server without names of hosts ignores what it has for them, and knows nothing of it when it is asked. */
async function readInEffect(session: Session, row: AccountRow): Promise<readonly Account[]> {
  try {
    return [await readAccount(session, row)]
  } catch (error) {
    if (NOT_IN_EFFECT.includes(errnoOf(error) ?? 0)) return []
    throw error
  }
}

async function readAccount(session: Session, row: AccountRow): Promise<Account> {
  const kind = row.isRole !== 'Y' ? 'user' : row.user === EVERYBODY ? 'everybody' : 'role'
  const quoted =
    kind === 'everybody'
      ? EVERYBODY
      : kind === 'role'
        ? quoteName(row.user)
        : `${quoteName(row.user)}@${quoteName(row.host)}`
  const grants = await firstColumn(session, `SHOW GRANTS FOR ${quoted}`)
  const created = kind === 'user' ? await firstColumn(session, `SHOW CREATE USER ${quoted}`) : []
  return {
    quoted,
    kind,
    createSql: created[0] ?? null,
    grants: grants.filter((line) => isOf(line, quoted)),
    defaultRole: row.defaultRole === '' ? null : row.defaultRole,
  }
}

/** What a role gives to an account is listed with the account, too. */
function isOf(line: string, quoted: string): boolean {
  return (
    !line.startsWith('GRANT ') ||
    line.includes(` TO ${quoted}`) ||
    line.includes(` TO ${quoted.replaceAll('`', "'")}`)
  )
}

async function firstColumn(session: Session, sql: string): Promise<readonly string[]> {
  const rows = await session.query<Readonly<Record<string, string>>>(sql)
  return rows.map((row) => Object.values(row)[0] ?? '')
}
