import type { StoredPart, StoredParts } from '@holdfast/core'
import { fileHasSha256, outputHasSha256, shellBlock, shellQuote } from '@holdfast/core'

// No psqlrc, no results, and no question for a password, which would take the next command for an answer.
const PSQL = 'psql -X -w -q -o /dev/null'
const STRICT_PSQL = `${PSQL} -v ON_ERROR_STOP=1`
const PG_RESTORE = 'pg_restore -w --exit-on-error'

/** The first version of PostgreSQL whose databases have a provider of their locale. */
const KNOWS_PROVIDERS = 15

/** How a format is laid into `$WORK`, and from there into the database `$TARGET`. */
interface Loading {
  readonly unpack: (data: StoredPart) => string
  readonly load: string
  /** Whether it is loaded by pg_restore, which can leave things out. */
  readonly isArchive: boolean
}

const LOADING: Readonly<Record<string, Loading>> = {
  custom: {
    unpack: (data) => unpackTo('data.dump', data),
    load: loadArchive('data.dump', '-j 2 '),
    isArchive: true,
  },
  plain: {
    unpack: (data) => unpackTo('data.sql', data),
    load: `${STRICT_PSQL} -d "$TARGET" -f "$WORK/data.sql"`,
    isArchive: false,
  },
  directory: {
    unpack: unpackDirectory,
    load: loadArchive('data', '-j 2 '),
    isArchive: true,
  },
  tar: {
    unpack: (data) => unpackTo('data.tar', data),
    // it is one file, which cannot be read at several places at once
    load: loadArchive('data.tar', ''),
    isArchive: true,
  },
}

/** Event triggers come last: they would fire while views are refreshed. */
function loadArchive(name: string, parallel: string): string {
  const archive = `"$WORK/${name}"`
  const events = '/^[0-9]+; [0-9]+ [0-9]+ ((COMMENT|SECURITY LABEL) - )?EVENT TRIGGER /'
  return `pg_restore -l ${archive} > "$WORK/list" &&
  LC_ALL=C awk '!${events}' < "$WORK/list" > "$WORK/list.most" &&
  LC_ALL=C awk '${events}' < "$WORK/list" > "$WORK/list.last" &&
  ${PG_RESTORE} ${parallel}-L "$WORK/list.most" -d "$TARGET" ${archive} &&
  ${PG_RESTORE} -L "$WORK/list.last" -d "$TARGET" ${archive}`
}

/** How a stored dump is brought back with PostgreSQL's own programs. */
export function postgresRestoreSteps(parts: StoredParts): string {
  const loading = LOADING[parts.format]
  if (loading === undefined) throw new Error('not a format of PostgreSQL')
  const { settings, globals } = parts.attachments
  const sections = [
    unpacking(parts, loading),
    ...(globals ? [creatingRoles()] : []),
    creatingDatabase(parts, loading),
    ...(settings ? [settingUp()] : []),
  ]
  const numbered = sections.map((section, index) => `## ${index + 2}. ${section}`)
  return [...numbered, replacing()].join('\n\n')
}

function unpacking({ data, attachments, toolVersion }: StoredParts, { unpack }: Loading): string {
  const { settings, contents, globals } = attachments
  const steps = [
    unpack(data),
    ...(settings ? [unpackTo('settings.sql', settings)] : []),
    ...(globals ? [unpackTo('globals.sql', globals)] : []),
  ]
  const needs = contents
    ? `

The dump does not bring the roles, extensions and tablespaces that it needs. Their names, among other facts, are printed by
\`${contents.command}\`.`
    : ''
  return `Unpack the dump and check it

You need PostgreSQL's \`psql\`, \`createdb\` and \`pg_restore\`, not older than the \`pg_dump\` that wrote it: ${toolVersion}. They
connect as \`PGHOST\`, \`PGPORT\`, \`PGUSER\` and \`PGPASSFILE\` say, and ask for no password. The user must be allowed to
create databases. Set \`WORK\` to the absolute path of a directory that does not exist yet. It needs ${data.sizeBytes} bytes.${needs}

${shellBlock(`umask 077
: "\${WORK:?set it to the path of a new directory}" &&
test ! -e "$WORK" && mkdir -- "$WORK.unchecked" &&
${steps.join(' &&\n')} &&
mv -- "$WORK.unchecked" "$WORK" &&
echo 'OK, the dump is unpacked'`)}`
}

function unpackTo(name: string, part: StoredPart): string {
  const file = `"$WORK.unchecked/${name}"`
  return `${part.command} > ${file} &&
  ${fileHasSha256(file, part.sha256)}`
}

/** Read twice rather than stored twice: a dump can be large. */
function unpackDirectory({ command, sha256 }: StoredPart): string {
  return `${outputHasSha256(command, sha256)} &&
mkdir -- "$WORK.unchecked/data" &&
  ${command} | tar -x -o -f - -C "$WORK.unchecked/data"`
}

function creatingRoles(): string {
  return `Create roles and tablespaces

Read \`$WORK/globals.sql\` first: it also gives roles that exist, maybe the one that you connect as, the attributes and
passwords that they had. An error that says that a role exists does not matter. A tablespace needs its directory on the
server.

${shellBlock(`${PSQL} -d postgres -f "$WORK/globals.sql" &&
echo 'OK, the roles are created, unless an error above says more than that one exists'`)}`
}

function creatingDatabase(parts: StoredParts, { load, isArchive }: Loading): string {
  const options = creationOptions(parts)
  const withoutOwners = isArchive
    ? `

Where roles are missing that cannot be created, add \`--no-owner --no-privileges\` behind each
\`${PG_RESTORE}\`, and \`-v no_owner=1\` to \`psql\` in the next step; where tablespaces are, \`--no-tablespaces\`.`
    : ''
  return `Load it into a new database

Set \`DATABASE\` to a name that no database has yet. The new database gets the encoding and locale of the source, and
lies in the default tablespace of the server. If the load fails, it is dropped again.${withoutOwners}

${shellBlock(`: "\${DATABASE:?set it to the name of a new database}" &&
TARGET="dbname='$(printf '%s' "$DATABASE" | LC_ALL=C sed "s/[\\\\\\\\']/\\\\\\\\&/g")'" &&
createdb -w ${options.map(shellQuote).join(' ')} -- "$DATABASE" &&
{ {
  ${load} &&
  ${STRICT_PSQL} -d "$TARGET" -c ANALYZE
} || { dropdb -w -- "$DATABASE"; false; }; } &&
LOADED=$DATABASE &&
echo 'OK, the database is loaded'`)}`
}

/** As the source was made: a copy in another encoding or order of letters would not be the same. */
function creationOptions({ details, serverVersion }: StoredParts): readonly string[] {
  const { encoding, collate, ctype, localeProvider: provider, locale, icuRules } = details
  const options = {
    encoding,
    'lc-collate': collate,
    'lc-ctype': ctype,
    // without a provider it would be the one of template0
    'locale-provider': Number.parseInt(serverVersion, 10) >= KNOWS_PROVIDERS ? provider : undefined,
    'icu-locale': provider === 'icu' ? locale : undefined,
    'icu-rules': provider === 'icu' ? icuRules : undefined,
    'builtin-locale': provider === 'builtin' ? locale : undefined,
  }
  const known = Object.entries(options).filter(([, value]) => value !== undefined && value !== '')
  return ['--template=template0', ...known.map(([option, value]) => `--${option}=${value}`)]
}

function settingUp(): string {
  return `Give the database its settings

Its owner, privileges, comment and settings, which the dump itself does not have.

${shellBlock(`: "\${LOADED:?load it first}" &&
${STRICT_PSQL} -v "database=$LOADED" -d postgres -f "$WORK/settings.sql" &&
echo 'OK, the database is as it was'`)}`
}

function replacing(): string {
  return `## Replacing a database

Only if the new database shall take the place of another. **Stop every program that uses it first.** Set \`REPLACED\` to
the name of that database, and \`ASIDE\` to a name that no database has yet, under which it is kept. Both change their
names at once, or neither does. To go back, run it again with \`LOADED\` set to the name that was kept aside and \`ASIDE\`
to another.

${shellBlock(`: "\${LOADED:?set it to the name of the new database}" &&
: "\${REPLACED:?set it to the name of the database to replace}" &&
: "\${ASIDE:?set it to the name under which that is kept}" &&
${STRICT_PSQL} -v "new=$LOADED" -v "old=$REPLACED" -v "aside=$ASIDE" -d postgres <<'END' &&
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (:'new', :'old');
BEGIN;
ALTER DATABASE :"old" RENAME TO :"aside";
ALTER DATABASE :"new" RENAME TO :"old";
COMMIT;
END
echo 'OK, the database is replaced'`)}

\`dropdb -w -- "$ASIDE"\` removes what was replaced, \`rm -r -- "$WORK"\` what was unpacked.`
}
