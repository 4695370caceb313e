import type { Contents } from '../contents/contents-file.ts'
import { versionName } from '../flavours.ts'
import type { Session } from '../session.ts'
import type { Findings } from './findings.ts'
import { joined, NOTHING_FOUND, problem, some, warning } from './findings.ts'

/** Since then a server takes rows of the past. */
const HISTORY_SINCE = 101_100
/** A packet is a little larger than the statement in it. */
const PACKET_OVERHEAD_BYTES = 1024
const LARGEST_PACKET_BYTES = 1_073_741_824

/** Whether a server can take a dump as far as its kind, version and settings go. */
export async function findSettings(session: Session, contents: Contents): Promise<Findings> {
  const flavour = findFlavour(session, contents)
  // what one flavour knows says nothing about the other
  if (flavour.problems.length > 0) return joined([flavour, await findReadOnly(session)])
  return joined([
    flavour,
    findVersion(session, contents),
    await findReadOnly(session),
    await findPacketSize(session, contents),
    await findCollations(session, contents),
    await findEngines(session, contents),
    await findCases(session, contents),
  ])
}

function findFlavour({ server }: Session, { flavour }: Contents): Findings {
  const { name } = server.flavour
  if (name === flavour) return NOTHING_FOUND
  return problem(
    `the backup is of ${flavour} and the server is ${name}, which cannot read all that the other writes`,
    `name a server of ${flavour}`,
  )
}

function findVersion({ server }: Session, { flavour, serverVersion, history }: Contents): Findings {
  const here = versionName(server.version)
  if (history && server.version < HISTORY_SINCE) {
    return problem(
      `the backup has the history of versioned tables, which MariaDB ${here} cannot take`,
      'use a server of MariaDB 10.11 or newer',
    )
  }
  const isOlder = server.flavour.seriesOf(server.version) < server.flavour.seriesOf(serverVersion)
  if (!isOlder) return NOTHING_FOUND
  return warning(
    `the server is ${flavour} ${here}, older than the ${versionName(serverVersion)} that the backup is from: it may not know all that is in it`,
  )
}

async function findReadOnly(session: Session): Promise<Findings> {
  const variables = await variablesOf(session, ['read_only', 'super_read_only', 'innodb_read_only'])
  const isOn = (name: string) => !['', '0', 'OFF'].includes((variables.get(name) ?? '').toUpperCase())
  const on = [...variables.keys()].filter(isOn)
  if (on.length === 0) return NOTHING_FOUND
  return problem(
    `the server can only be read (${on.join(', ')})`,
    'name its primary, or let it be written to',
  )
}

async function findPacketSize(session: Session, { largestStatementBytes }: Contents): Promise<Findings> {
  const variables = await variablesOf(session, ['max_allowed_packet'])
  const allowed = Number(variables.get('max_allowed_packet') ?? LARGEST_PACKET_BYTES)
  const needed = largestStatementBytes + PACKET_OVERHEAD_BYTES
  if (allowed >= needed || allowed >= LARGEST_PACKET_BYTES) return NOTHING_FOUND
  return problem(
    `max_allowed_packet of the server is ${allowed} bytes, and the backup has a statement of ${largestStatementBytes}`,
    `set max_allowed_packet of the server to ${roundUp(needed)} or more`,
  )
}

/** The next power of two, as such settings are written. */
function roundUp(bytes: number): number {
  return Math.min(LARGEST_PACKET_BYTES, 2 ** Math.ceil(Math.log2(bytes)))
}

async function findCollations(session: Session, { collations }: Contents): Promise<Findings> {
  const known = await namesIn(session, 'SELECT COLLATION_NAME AS name FROM information_schema.COLLATIONS')
  let missing = collations.filter((name) => !known.has(name.toLowerCase()))
  if (missing.length > 0 && session.server.flavour.name === 'MariaDB' && session.server.version >= 101_001) {
    const full = await namesIn(
      session,
      'SELECT FULL_COLLATION_NAME AS name FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY',
    )
    missing = missing.filter((name) => !full.has(name.toLowerCase()))
  }
  if (missing.length === 0) return NOTHING_FOUND
  return problem(
    `the server does not know the collations ${some(missing)}`,
    'use a server as new as the source',
  )
}

async function findEngines(session: Session, { engines }: Contents): Promise<Findings> {
  const known = await namesIn(
    session,
    "SELECT ENGINE AS name FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')",
  )
  const missing = engines.filter((name) => !known.has(name.toLowerCase()))
  if (missing.length === 0) return NOTHING_FOUND
  return problem(
    `the server has not the storage engines ${some(missing)}`,
    'install their plugins (INSTALL SONAME, INSTALL PLUGIN), or use a server that has them',
  )
}

/** Names of tables are files: whether case counts is settled when a server is set up. */
async function findCases(session: Session, contents: Contents): Promise<Findings> {
  const variables = await variablesOf(session, ['lower_case_table_names'])
  const here = Number(variables.get('lower_case_table_names') ?? contents.lowerCaseTableNames)
  if (here === contents.lowerCaseTableNames) return NOTHING_FOUND
  const names = [
    ...contents.tables.map(({ name }) => name),
    ...contents.programs.filter(({ kind }) => kind === 'view').map(({ name }) => name),
  ]
  const told = `lower_case_table_names is ${here} on the server and was ${contents.lowerCaseTableNames} at the source`
  if (here === 0) {
    return warning(`${told}: clients that wrote names of tables in another case will not find them`)
  }
  const twice = names.filter((name, at) => names.some((other, place) => place < at && isSame(name, other)))
  const changed = here === 1 ? names.filter((name) => name !== name.toLowerCase()) : []
  const misfits = [...new Set([...twice, ...changed])]
  if (misfits.length === 0) return NOTHING_FOUND
  return problem(
    `${told}: it cannot keep the names ${some(misfits)}`,
    'use a server with the same lower_case_table_names',
  )
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

async function variablesOf(session: Session, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const marks = names.map(() => '?').join(', ')
  const rows = await session.query<{ readonly Variable_name: string; readonly Value: string }>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${marks})`,
    names,
  )
  return new Map(rows.map((row) => [row.Variable_name.toLowerCase(), row.Value]))
}

async function namesIn(session: Session, sql: string): Promise<ReadonlySet<string>> {
  const rows = await session.query<{ readonly name: string | null }>(sql)
  return new Set(rows.map(({ name }) => (name ?? '').toLowerCase()))
}
