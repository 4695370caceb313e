import { AppError } from '@holdfast/core'

/** Arguments that programs know from a version on. */
interface ArgumentsSince {
  readonly since: number
  readonly args: readonly string[]
}

/** What differs between MySQL and MariaDB. Versions are numbers like 101119 for 10.11.19 and 80036 for 8.0.36. */
export interface Flavour {
  readonly name: 'MariaDB' | 'MySQL'
  /** The oldest server that is supported. */
  readonly oldest: number
  /** Names of the programs, the better one first. */
  readonly programs: { readonly dump: readonly string[]; readonly client: readonly string[] }
  readonly packages: (release: string) => string
  /** Versions of one series understand each other: 10.11 of MariaDB, 8.0 of MySQL. */
  readonly seriesOf: (version: number) => number
  /** Arguments of the dump program on top of what both flavours have; all rows that it is new enough for. */
  readonly dumpArguments: readonly ArgumentsSince[]
  /** Lines of an option file's [client] group for each way to encrypt. */
  readonly tlsOptions: Readonly<
    Record<'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full', readonly string[]>
  >
  /** The status variable that tells how far the log of InnoDB is, by the server's version; none before the first row. */
  readonly logPosition: readonly { readonly since: number; readonly variable: string }[]
  /** How commits of the whole server are held back for a moment; needs RELOAD. */
  readonly briefLock: { readonly take: readonly string[]; readonly giveBack: readonly string[] }
  readonly sequences: boolean
  readonly packagesOfRoutines: boolean
  readonly versionedTables: boolean
}

/** What a server is. */
export interface ServerFacts {
  readonly flavour: Flavour
  /** Like 101119 or 80036. */
  readonly version: number
  /** As the server says it. */
  readonly versionText: string
}

export const MARIADB: Flavour = {
  name: 'MariaDB',
  oldest: 100_500,
  programs: { dump: ['mariadb-dump', 'mysqldump'], client: ['mariadb', 'mysql'] },
  packages: (release) =>
    `mariadb-client of version ${release} or newer (Debian, Ubuntu), MariaDB-client (Red Hat) or mariadb (Homebrew)`,
  seriesOf: (version) => Math.floor(version / 100),
  dumpArguments: [
    { since: 100_500, args: ['--no-tablespaces'] },
    { since: 101_100, args: ['--dump-history'] },
  ],
  tlsOptions: {
    disable: ['skip-ssl'],
    // programs from 11.4 on would check the certificate if nobody says otherwise
    prefer: ['ssl', 'skip-ssl-verify-server-cert'],
    require: ['ssl', 'skip-ssl-verify-server-cert'],
    'verify-ca': ['ssl', 'skip-ssl-verify-server-cert'],
    'verify-full': ['ssl', 'ssl-verify-server-cert'],
  },
  logPosition: [{ since: 0, variable: 'Innodb_lsn_current' }],
  briefLock: {
    take: ['BACKUP STAGE START', 'BACKUP STAGE BLOCK_COMMIT'],
    giveBack: ['BACKUP STAGE END'],
  },
  sequences: true,
  packagesOfRoutines: true,
  versionedTables: true,
}

export const MYSQL: Flavour = {
  name: 'MySQL',
  oldest: 50_700,
  programs: { dump: ['mysqldump'], client: ['mysql'] },
  packages: (release) =>
    `mysql-client of version ${release} or newer (Debian, Ubuntu: from MySQL's own repository), ` +
    'mysql-community-client (Red Hat) or mysql-client (Homebrew)',
  seriesOf: (version) => Math.floor(version / 100),
  dumpArguments: [
    { since: 50_700, args: ['--set-gtid-purged=OFF', '--no-tablespaces'] },
    { since: 80_000, args: ['--column-statistics=0'] },
  ],
  tlsOptions: {
    disable: ['ssl-mode=DISABLED', 'loose-get-server-public-key'],
    prefer: ['ssl-mode=PREFERRED', 'loose-get-server-public-key'],
    require: ['ssl-mode=REQUIRED'],
    'verify-ca': ['ssl-mode=VERIFY_CA'],
    'verify-full': ['ssl-mode=VERIFY_IDENTITY'],
  },
  logPosition: [{ since: 80_030, variable: 'Innodb_redo_log_current_lsn' }],
  briefLock: { take: ['FLUSH TABLES WITH READ LOCK'], giveBack: ['UNLOCK TABLES'] },
  sequences: false,
  packagesOfRoutines: false,
  versionedTables: false,
}

export const FLAVOURS = [MARIADB, MYSQL] as const

/** Servers that speak the protocol and are neither: what they cannot do would show in the middle of a restore. */
const OTHERS = /TiDB|Vitess|OceanBase|Dolt|StarRocks|Doris|ClickHouse|SingleStore|MemSQL|PolarDB-X/i

/** MariaDB or MySQL, from what VERSION() answers; Percona's and Amazon's servers are MySQL. */
export function flavourOf(versionText: string): Flavour {
  return /mariadb/i.test(versionText) ? MARIADB : MYSQL
}

/** What a server is, from what VERSION() answers. Throws UNSUPPORTED_ENGINE for what is neither, or too old. */
export function serverFacts(versionText: string): ServerFacts {
  const flavour = flavourOf(versionText)
  const version = versionNumber(versionText)
  if (version === null || OTHERS.test(versionText)) {
    throw unsupported('the server is neither MySQL nor MariaDB')
  }
  if (version < flavour.oldest) {
    throw unsupported(`the server is ${flavour.name} ${versionName(version)}, which is too old`)
  }
  return { flavour, version, versionText }
}

/** `10.11.19` for 101119. */
export function versionName(version: number): string {
  return `${Math.floor(version / 10_000)}.${Math.floor(version / 100) % 100}.${version % 100}`
}

/** The number in the first text like `10.11.19`; null if there is none. */
export function versionNumber(text: string): number | null {
  // MariaDB before 11 says it is 5.5.5 first, for replicas that know one digit only
  const [, major, minor, patch = '0'] = /^(?:5\.5\.5-)?(\d{1,3})\.(\d{1,2})(?:\.(\d{1,2}))?/.exec(text) ?? []
  if (major === undefined) return null
  return Number(major) * 10_000 + Number(minor) * 100 + Number(patch)
}

function unsupported(message: string): AppError {
  const oldest = FLAVOURS.map(({ name, oldest: version }) => `${name} ${versionName(version)}`)
  return new AppError('UNSUPPORTED_ENGINE', message, { hint: `supported from ${oldest.join(' and ')} on` })
}
