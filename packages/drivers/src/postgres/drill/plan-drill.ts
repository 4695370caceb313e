import type { DumpDescription } from '@holdfast/core'
import { AppError } from '@holdfast/core'
import type { Toolbox } from '../client-tools.ts'
import type { Contents } from '../contents/contents-file.ts'
import { findLocale } from '../restore/find-locale.ts'
import { findVersions } from '../restore/find-versions.ts'
import type { LeaveOut } from '../restore/load-dump.ts'
import type { Findings } from '../restore/missing-objects.ts'
import {
  findMissingExtensions,
  findMissingRoles,
  findMissingTablespaces,
  findRestricted,
  joined,
  NOTHING_FOUND,
} from '../restore/missing-objects.ts'
import type { UserRights } from '../restore/user-rights.ts'
import { rightsOf } from '../restore/user-rights.ts'
import type { Session } from '../session.ts'

/** How a dump is loaded for a drill on a server that may know nothing of its source. */
export interface DrillPlan {
  readonly isSuperuser: boolean
  readonly keepOwners: boolean
  readonly leaveOut: LeaveOut
  /** What the drill does not prove, in words. */
  readonly notes: readonly string[]
}

/** What only superusers may create and no row depends on. */
const WITHOUT_DATA = ['event triggers', 'publications of all tables']
const HINT = "or let another target's server do the drills: name it by the option 'drillOn'"

/**
 * Finds out what of a dump can be loaded here. Its data must be, and all that stands in its way is the server's fault,
 * never the dump's: rejects with RESTORE_NOT_POSSIBLE naming what is missing. Owners are proven where they can be.
 */
export async function planDrill(
  toolbox: Toolbox,
  session: Session,
  dump: DumpDescription,
  contents: Contents,
): Promise<DrillPlan> {
  const user = await rightsOf(session)
  const isScript = dump.format === 'plain'
  const roles = await findMissingRoles(session, contents, user)
  const extensions = await findMissingExtensions(session, contents, user)
  const superuserOnly = contents.superuserOnly.filter((kind) => isScript || !WITHOUT_DATA.includes(kind))
  requireNothingMissing(
    joined([
      findRoom(user),
      await findVersions(toolbox, session.serverVersion, dump, contents),
      extensions,
      user.canCreateDatabases ? await findLocale(session, contents.database) : NOTHING_FOUND,
      findRestricted({ ...contents, superuserOnly }, user),
      // these are words in the text of a script
      isScript ? rolesOfScript(roles) : NOTHING_FOUND,
      isScript ? await findMissingTablespaces(session, contents) : NOTHING_FOUND,
    ]),
  )
  const hasRoles = roles.problems.length === 0
  const keepOwners = isScript || (user.isSuperuser && hasRoles)
  return {
    isSuperuser: user.isSuperuser,
    keepOwners,
    leaveOut: leaveOutFor(user, hasRoles),
    notes: [...(keepOwners ? [] : [withoutOwners(roles)]), ...extensions.warnings],
  }
}

/** A copy that is dropped soon must not begin to replicate, and its tablespaces do not matter. */
function leaveOutFor({ isSuperuser }: UserRights, hasRoles: boolean): LeaveOut {
  return {
    options: ['--no-tablespaces', '--no-security-labels'],
    kinds: [
      'replication',
      ...(isSuperuser ? [] : (['eventTriggers'] as const)),
      // it could hide rows from whoever compares them
      ...(isSuperuser && hasRoles ? [] : (['rowSecurity'] as const)),
      ...(hasRoles ? [] : (['userMappings'] as const)),
    ],
  }
}

function withoutOwners({ problems }: Findings): string {
  const why = problems.length === 0 ? 'which only a superuser can give' : problems.join('; ')
  return `owners, privileges and row security were left out: ${why}`
}

function findRoom({ name, canCreateDatabases, isReadOnly }: UserRights): Findings {
  if (isReadOnly) {
    return {
      problems: ['the server is a standby, which can only be read'],
      hints: ['name its primary'],
      warnings: [],
    }
  }
  if (canCreateDatabases) return NOTHING_FOUND
  return {
    problems: [`the user ${name} may not create databases`],
    hints: [`give ${name} CREATEDB (ALTER ROLE … CREATEDB)`],
    warnings: [],
  }
}

/** Of a script that may not set an owner nothing is loaded. */
function rolesOfScript({ problems, warnings }: Findings): Findings {
  const all = [...problems, ...warnings]
  const hint = "create the roles on it and drill as a superuser, or take backups in the format 'custom'"
  return { problems: all, hints: all.length === 0 ? [] : [hint], warnings: [] }
}

function requireNothingMissing({ problems, hints }: Findings): void {
  if (problems.length === 0) return
  throw new AppError(
    'RESTORE_NOT_POSSIBLE',
    `the backup cannot be drilled on this server: ${problems.join('; ')}`,
    {
      hint: [...hints, HINT].join('; '),
    },
  )
}
