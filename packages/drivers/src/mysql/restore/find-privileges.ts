import type { RestoreOptions } from '@holdfast/core'
import type { Contents } from '../contents/contents-file.ts'
import { findDefiners as findAccounts } from '../dump/find-definers.ts'
import type { OwnGrants } from '../dump/own-grants.ts'
import { readOwnGrants } from '../dump/own-grants.ts'
import type { ServerFacts } from '../flavours.ts'
import type { Session } from '../session.ts'
import type { Findings } from './findings.ts'
import { joined, NOTHING_FOUND, problem, some } from './findings.ts'

type Kind = Contents['programs'][number]['kind']

/** For tables, whatever else there is; INSERT is for sequences and what is renamed, too. */
const OF_TABLES = ['SELECT', 'INSERT', 'CREATE', 'ALTER', 'DROP', 'INDEX', 'REFERENCES']
const OF_KINDS: Readonly<Record<Kind, readonly string[]>> = {
  view: ['CREATE VIEW', 'SHOW VIEW'],
  trigger: ['TRIGGER'],
  function: ['CREATE ROUTINE', 'ALTER ROUTINE', 'EXECUTE'],
  procedure: ['CREATE ROUTINE', 'ALTER ROUTINE', 'EXECUTE'],
  package: ['CREATE ROUTINE', 'ALTER ROUTINE', 'EXECUTE'],
  'package body': ['CREATE ROUTINE', 'ALTER ROUTINE', 'EXECUTE'],
  event: ['EVENT'],
}
/** What the server itself checks before it keeps a function or trigger while it writes a binary log. */
const LOGGED: readonly Kind[] = ['function', 'trigger']
const SAFE = /\n\s*(?:DETERMINISTIC|NO SQL|READS SQL DATA)\s*\n/

/** What privileges a copy of a dump needs in a schema, by what the dump holds. */
export function neededPrivileges(kinds: readonly Kind[]): readonly string[] {
  return [...new Set([...OF_TABLES, ...kinds.flatMap((kind) => OF_KINDS[kind])])]
}

/** The privileges that the account lacks on one schema. The name is shown as the pattern that covers it. */
export async function findPrivileges(
  session: Session,
  schema: string,
  shown: string,
  privileges: readonly string[],
): Promise<Findings> {
  const grants = await readOwnGrants(session, schema)
  const missing = privileges.filter((privilege) => !grants.allows(privilege))
  if (missing.length === 0) return NOTHING_FOUND
  return problem(
    `the user lacks ${missing.join(', ')} on ${shown}`,
    `GRANT ${missing.join(', ')} ON \`${shown}\`.* TO the user`,
  )
}

/** Whether functions and triggers may be created while the server writes a binary log. */
export async function findBinaryLog(session: Session, { programs }: Contents): Promise<Findings> {
  const logged = programs.filter(({ kind }) => LOGGED.includes(kind))
  if (logged.length === 0) return NOTHING_FOUND
  const [row] = await session.query<{ readonly log: number; readonly trust: number }>(
    'SELECT @@GLOBAL.log_bin AS log, @@GLOBAL.log_bin_trust_function_creators AS trust',
  )
  if (Number(row?.log ?? 0) === 0 || Number(row?.trust ?? 1) === 1) return NOTHING_FOUND
  const grants = await readOwnGrants(session, '')
  const unsafe = logged.filter(({ kind, createSql }) => kind === 'function' && !SAFE.test(createSql))
  const trust = 'set log_bin_trust_function_creators=1 on the server'
  return joined([
    grants.allowsEverywhere('SUPER')
      ? NOTHING_FOUND
      : problem(
          'the server writes a binary log, and without SUPER the user may create no functions and triggers',
          `${trust}, or GRANT SUPER ON *.* TO the user`,
        ),
    unsafe.length === 0
      ? NOTHING_FOUND
      : problem(
          `the server writes a binary log and refuses functions that are not declared deterministic: ${some(unsafe.map(({ name }) => name))}`,
          trust,
        ),
  ])
}

/** Accounts that programs will belong to and that are not the user's own, or not there. */
export async function findDefiners(
  session: Session,
  contents: Contents,
  { keepOwners, definer }: RestoreOptions,
): Promise<Findings> {
  if (!keepOwners || contents.programs.length === 0) return NOTHING_FOUND
  const own = await currentAccount(session)
  const kept = contents.programs.flatMap((program) => (program.definer === null ? [] : [program.definer]))
  const wanted = definer === null ? [...new Set(kept)] : [definer]
  const foreign = wanted.filter((account) => account !== own)
  if (foreign.length === 0) return NOTHING_FOUND
  const grants = await readOwnGrants(session, '')
  const named = contents.programs.map((program) => ({ ...program, definer: definer ?? program.definer }))
  const { missing, known } = await findAccounts(session, named)
  const gone = missing.filter((account) => account !== own && !contents.definers.missing.includes(account))
  return joined([
    maySet(session.server, grants, foreign),
    missingAccounts(gone),
    known ? NOTHING_FOUND : unverified(foreign),
  ])
}

function maySet({ flavour, version }: ServerFacts, grants: OwnGrants, foreign: readonly string[]): Findings {
  const rights = rightsToSet(flavour.name, version)
  if (['SUPER', ...rights].some((right) => grants.allowsEverywhere(right))) return NOTHING_FOUND
  const right = rights[0] ?? 'SUPER'
  return problem(
    `the user may not create programs of other accounts (${some(foreign)}): it lacks ${right}`,
    `GRANT ${right} ON *.* TO the user, or restore without owners (keepOwners: false)`,
  )
}

function rightsToSet(flavour: ServerFacts['flavour']['name'], version: number): readonly string[] {
  if (flavour === 'MariaDB') return ['SET USER']
  if (version >= 80_200) return ['SET_ANY_DEFINER']
  return version >= 80_000 ? ['SET_USER_ID'] : []
}

function missingAccounts(gone: readonly string[]): Findings {
  if (gone.length === 0) return NOTHING_FOUND
  return problem(
    `the server has not the accounts ${some(gone)}, to which views, triggers, routines or events belong`,
    "create them (the backup's globals have them, if it was asked for them), restore without owners (keepOwners: false), or name another account by the option definer",
  )
}

function unverified(foreign: readonly string[]): Findings {
  const text = `whether the accounts ${some(foreign)} exist could not be found out: the user may not read mysql.user`
  return { ...NOTHING_FOUND, warnings: [text] }
}

async function currentAccount(session: Session): Promise<string> {
  const [row] = await session.query<{ readonly account: string }>('SELECT CURRENT_USER() AS account')
  return row?.account ?? ''
}
