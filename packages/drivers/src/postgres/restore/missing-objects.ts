import type { Contents } from '../contents/contents-file.ts'
import type { Session } from '../session.ts'
import type { UserRights } from './user-rights.ts'

/** What a restore must not begin without, and what it may; both in words for an operator. */
export interface Findings {
  readonly problems: readonly string[]
  readonly hints: readonly string[]
  readonly warnings: readonly string[]
}

export const NOTHING_FOUND: Findings = { problems: [], hints: [], warnings: [] }

/** All findings together. */
export function joined(all: readonly Findings[]): Findings {
  return {
    problems: all.flatMap(({ problems }) => problems),
    hints: [...new Set(all.flatMap(({ hints }) => hints))],
    warnings: all.flatMap(({ warnings }) => warnings),
  }
}

interface Extension {
  readonly name: string
  readonly version: string | null
  /** Only a superuser can create it. */
  readonly isRestricted: boolean
}

const EXTENSIONS = `
  SELECT a.name, a.default_version AS version,
         coalesce((SELECT v.superuser AND NOT v.trusted FROM pg_available_extension_versions AS v
                   WHERE v.name = a.name AND v.version = a.default_version), false) AS "isRestricted"
  FROM pg_available_extensions AS a WHERE a.name = ANY ($1::text[])`

/** Roles that own something or may use it, or that row level security names. */
export async function findMissingRoles(
  session: Session,
  { roles, database }: Contents,
  user: UserRights,
): Promise<Findings> {
  const wanted = [...new Set([...roles, database.owner])].filter((role) => role !== 'public')
  const known = await session.query<{ readonly name: string; readonly isMember: boolean }>(
    `SELECT rolname AS name, pg_has_role(oid, 'MEMBER') AS "isMember" FROM pg_roles WHERE rolname = ANY ($1::text[])`,
    [wanted],
  )
  const names = new Set(known.map(({ name }) => name))
  const missing = wanted.filter((role) => !names.has(role))
  const others = user.isSuperuser ? [] : known.filter(({ isMember }) => !isMember).map(({ name }) => name)
  const problems = [
    ...(missing.length === 0 ? [] : [`roles are missing on the server: ${missing.join(', ')}`]),
    ...(user.canCreateDatabases && others.includes(database.owner)
      ? [`the user ${user.name} may not give a database to ${database.owner}, who owned it in the source`]
      : []),
  ]
  return {
    problems,
    hints: [
      ...(missing.length === 0
        ? []
        : ["create the roles (the backup's globals have them, if it was taken with globals)"]),
      ...(problems.length === 0
        ? []
        : ['restore with keepOwners: false (--no-owner) where owners do not matter']),
    ],
    warnings:
      others.length === 0
        ? []
        : [
            `the user ${user.name} is no member of ${others.join(', ')}: what they own it cannot restore as theirs`,
          ],
  }
}

/** Extensions come from the packages of the server, not from the backup. */
export async function findMissingExtensions(
  session: Session,
  { extensions }: Contents,
  user: UserRights,
): Promise<Findings> {
  const wanted = extensions.map(({ name }) => name)
  const available = await session.query<{ readonly [Key in keyof Extension]: Extension[Key] }>(EXTENSIONS, [
    wanted,
  ])
  const byName = new Map(available.map((extension) => [extension.name, extension]))
  const missing = wanted.filter((name) => !byName.has(name))
  const restricted =
    user.isSuperuser || user.isProvidersAdmin ? [] : available.filter(({ isRestricted }) => isRestricted)
  const others = extensions.flatMap(({ name, version }) => {
    const here = byName.get(name)?.version ?? version
    return here === version
      ? []
      : [`extension ${name} is version ${here} here, it was ${version} in the source`]
  })
  return {
    problems: [
      ...(missing.length === 0 ? [] : [`extensions are not installed on the server: ${missing.join(', ')}`]),
      ...(restricted.length === 0
        ? []
        : [`only a superuser can create the extensions ${restricted.map(({ name }) => name).join(', ')}`]),
    ],
    hints: missing.length === 0 ? [] : ["install the packages of the extensions on the database's machine"],
    warnings: others,
  }
}

/** Tablespaces are directories of the server. */
export async function findMissingTablespaces(
  session: Session,
  { tablespaces, database }: Contents,
): Promise<Findings> {
  const known = await session.query<{ readonly name: string; readonly isOpen: boolean }>(
    `SELECT spcname AS name, has_tablespace_privilege(oid, 'CREATE') AS "isOpen" FROM pg_tablespace`,
  )
  const openTo = new Map(known.map(({ name, isOpen }) => [name, isOpen]))
  const missing = tablespaces.filter((name) => !openTo.has(name))
  const closed = tablespaces.filter((name) => openTo.get(name) === false)
  const isHome = database.tablespace === 'pg_default' || openTo.get(database.tablespace) === true
  return {
    problems: [
      ...(missing.length === 0 ? [] : [`tablespaces are missing on the server: ${missing.join(', ')}`]),
      ...(closed.length === 0 ? [] : [`the user may not use the tablespaces ${closed.join(', ')}`]),
    ],
    hints: missing.length === 0 ? [] : ['create the tablespaces with CREATE TABLESPACE'],
    warnings: isHome
      ? []
      : [`the tablespace ${database.tablespace} of the database is not there: it goes to the default`],
  }
}

const OF_EVERY_SERVER = '$libdir/plpgsql'

/** What only superusers may create, and what is to be there for it. */
export function findRestricted(
  { superuserOnly, languages, libraries }: Contents,
  user: UserRights,
): Findings {
  const restricted = [...superuserOnly, ...languages.map((name) => `language ${name}`)]
  const told = `only a superuser can create ${restricted.join(', ')}`
  const mayBe = user.isSuperuser || restricted.length === 0
  const foreign = libraries.filter((library) => library !== OF_EVERY_SERVER)
  return {
    problems: mayBe || user.isProvidersAdmin ? [] : [told],
    hints: mayBe || user.isProvidersAdmin ? [] : ['restore as a superuser'],
    warnings: [
      ...(!mayBe && user.isProvidersAdmin ? [`${told}: whether the provider allows it will be seen`] : []),
      ...(foreign.length === 0
        ? []
        : [`functions in C need these libraries on the server: ${foreign.join(', ')}`]),
    ],
  }
}
