import type { StoredPart, StoredParts } from '@holdfast/core'
import { fileHasSha256, shellBlock, shellQuote } from '@holdfast/core'
import type { Flavour } from './flavours.ts'
import { FLAVOURS, MARIADB } from './flavours.ts'
import { quoteName } from './quote.ts'

/** Nothing of what programs print is needed, and none may ask for a password: it would take the next command for it. */
const OPTIONS = '--defaults-file="$OPTIONS"'
const CLIENT = `"$CLIENT" ${OPTIONS} --batch --default-character-set=utf8mb4`
/**
 * Of commands of the client, binary mode knows those alone that a script of the dump program needs. Older clients take
 * comments out of the bodies of programs unless they are told not to.
 */
const STRICT_CLIENT = `${CLIENT} --binary-mode --comments --max-allowed-packet=1G`

/** How a stored dump is brought back with the standard programs. */
export function mysqlRestoreSteps(parts: StoredParts): string {
  if (parts.format !== 'plain') throw new Error('not a format of MySQL')
  const sections = [
    unpacking(parts),
    ...(parts.attachments.globals ? [creatingAccounts()] : []),
    creatingDatabase(parts),
    creatingEvents(parts),
  ]
  const numbered = sections.map((section, index) => `## ${index + 2}. ${section}`)
  return [...numbered, replacing(parts)].join('\n\n')
}

function unpacking(parts: StoredParts): string {
  const { data, attachments, serverVersion, toolVersion } = parts
  const { settings, contents, globals } = attachments
  const { programs, name } = flavourOf(parts)
  const [client = ''] = programs.client
  const [dump = ''] = programs.dump
  const steps = [
    unpackTo('dump.sql', data),
    ...(settings ? [unpackTo('settings.sql', settings)] : []),
    ...(globals ? [unpackTo('globals.sql', globals)] : []),
  ]
  const needs = contents
    ? `

What the server must have (collations, storage engines, accounts that views and routines run as, the longest statement,
which its \`max_allowed_packet\` must exceed) is printed by \`${contents.command}\`.`
    : ''
  return `Unpack the dump and check it

You need \`${client}\`, the client of ${name}. The dump is of version ${serverVersion}, written by \`${dump}\` of ${toolVersion}. If your
client has another name or place, set \`CLIENT\` to it. Set \`OPTIONS\` to the absolute path of a file that only you may read:

\`\`\`ini
[client]
host=db.example.org
user=root
password="…"
\`\`\`

Set \`WORK\` to the absolute path of a directory that does not exist yet. It needs twice ${data.sizeBytes} bytes.${needs}

${shellBlock(`umask 077
: "\${CLIENT:=${client}}" &&
: "\${OPTIONS:?set it to the path of an option file}" &&
: "\${WORK:?set it to the path of a new directory}" &&
test ! -e "$WORK" && mkdir -- "$WORK.unchecked" &&
${steps.join(' &&\n')} &&
mv -- "$WORK.unchecked" "$WORK" &&
${CLIENT} -e 'SELECT VERSION()' &&
echo 'OK, the dump is unpacked, and the server answers'`)}`
}

function unpackTo(name: string, part: StoredPart): string {
  const file = `"$WORK.unchecked/${name}"`
  return `${part.command} > ${file} &&
  ${fileHasSha256(file, part.sha256)}`
}

function creatingAccounts(): string {
  return `Create accounts and roles

Read \`$WORK/globals.sql\` first. Accounts that exist stay as they are, but get the privileges that they had. What is
granted on single tables and routines is granted only where these are: run it again at the end.

${shellBlock(`${STRICT_CLIENT} < "$WORK/globals.sql" &&
echo 'OK, the accounts are there'`)}`
}

/**
 * Parts the script in two: events would begin to run in the middle of it. What stands in rows is never looked at, since
 * a row begins its line with a parenthesis, or INSERT.
 */
const ADAPT = `NR == 1 && /^\\/\\*M?!999999.*sandbox mode/ { next }
  /^DELIMITER ;;$/ { inside = 1 }
  /^DELIMITER ;$/ { inside = 0 }
  !inside && /^-- Dumping events for database / { events = 1 }
  !inside && /^-- Dumping routines for database |^-- Final view structure|^\\/\\*!40103 SET TIME_ZONE=@OLD/ { events = 0 }
  !inside && from != "" && (/^  \`.*nextval\\(/ || /^\\/\\*!50001 VIEW /) {
    line = $0
    for ($0 = ""; at = index(line, from); line = substr(line, at + length(from))) $0 = $0 substr(line, 1, at - 1) to
    $0 = $0 line
  }
  ENVIRON["DEFINERS"] == "none" && /^(\\/\\*!50[0-9]* )?(CREATE(\\*\\/)? (\\/\\*!50[0-9]* )?)?DEFINER=/ {
    sub(/DEFINER=\`([^\`]|\`\`)*\`(@\`([^\`]|\`\`)*\`)? ?/, "")
  }
  { print > (ENVIRON["WORK"] (events ? "/events.sql" : "/data.sql")) }`

function creatingDatabase({ details, attachments }: StoredParts): string {
  const source = typeof details.schema === 'string' ? quoteName(details.schema) : ''
  const settings = attachments.settings ? `\n  ${STRICT_CLIENT} -- "$1" < "$WORK/settings.sql" &&` : ''
  return `Load it into a new database

Set \`DATABASE\` to a name that no database has yet. If the load fails, it is dropped again. Events are left for the next
step: they would begin to run. Commands of the client that hide in a dump are not carried out (\`--binary-mode\`), so the
line that older clients stumble over, the first one, which asks for that, is left out.

An account without the privilege to name other definers (\`SET USER\` of MariaDB; \`SET_USER_ID\`, \`SET_ANY_DEFINER\` or
\`SUPER\` of MySQL) cannot create views and routines that run as somebody else. With \`DEFINERS=none\` they run as the
account that creates them. Set it also if the accounts do not exist and shall not be created.

${shellBlock(`: "\${DATABASE:?set it to the name of a new database}" &&
: "\${DEFINERS:=kept}" && export WORK DEFINERS &&
rm -f -- "$WORK/data.sql" "$WORK/events.sql" &&
quoted() { printf '\`%s\`' "$(printf '%s' "$1" | LC_ALL=C sed 's/\`/\`\`/g')"; } &&
load() {
  printf 'CREATE DATABASE %s' "$(quoted "$1")" | ${STRICT_CLIENT} &&
  { {${settings}
    ${STRICT_CLIENT} -- "$1" < "$WORK/data.sql"
  } || { printf 'DROP DATABASE %s' "$(quoted "$1")" | ${STRICT_CLIENT}; false; }; }
} &&
adapt() {
  : > "$WORK/events.sql" &&
  FROM=${shellQuote(source)} TO=$(quoted "$1") LC_ALL=C awk '
  BEGIN { from = ENVIRON["FROM"]; if (from != "") { from = from "."; to = ENVIRON["TO"] "." } }
  ${ADAPT}' < "$WORK/dump.sql" &&
  tail -n 1 < "$WORK/data.sql" | grep -q '^-- Dump completed'
} &&
adapt "$DATABASE" && load "$DATABASE" &&
LOADED=$DATABASE &&
echo 'OK, the database is loaded'`)}`
}

function creatingEvents({ details, attachments: { contents } }: StoredParts): string {
  if (contents && details.eventsApart === true) {
    return `Create its events

The dump program could not dump the events of this database, for the name of the database or what is in them. Their
definitions are among the \`programs\` that \`${contents.command}\` prints, of the kind \`event\`: create them by hand.`
  }
  return `Create its events

They begin to run at once if the server's \`event_scheduler\` is on. Leave this step out for a copy that shall stay as it is.

${shellBlock(`: "\${LOADED:?load it first}" &&
${STRICT_CLIENT} -- "$LOADED" < "$WORK/events.sql" &&
echo 'OK, its events are created'`)}`
}

function replacing(parts: StoredParts): string {
  const { programs, name } = flavourOf(parts)
  const [dump = ''] = programs.dump
  // the program would never end with some of them
  const isWithoutEvents = parts.details.eventsApart === true
  const events = isWithoutEvents
    ? ' Its events are **not** in it, as\nthe dump program may not be able to dump them: note what `SHOW CREATE EVENT` prints of each.'
    : ''
  const history =
    name === 'MariaDB'
      ? '\nOn MariaDB from 10.11 on, set `HISTORY=--dump-history` to have the history of versioned tables in it, too.'
      : ''
  return `## Replacing a database

Only if the backup shall take the place of another database, whose name nobody can change. **Stop every program that uses
it first.** The steps above have shown that the backup can be loaded. Set \`REPLACED\` to the name of that database. It is
dumped to \`$WORK/replaced.sql\`, dropped, and the backup is loaded under its name. To go back, drop it again and load that
file: it names its database itself.${events}${history}

${shellBlock(`: "\${REPLACED:?set it to the name of the database to replace}" && : "\${DUMP:=${dump}}" &&
: "\${LOADED:?load it into a new database first}" &&
test ! -e "$WORK/replaced.sql" &&
"$DUMP" ${OPTIONS} \${HISTORY:+"$HISTORY"} --single-transaction --routines --triggers${isWithoutEvents ? '' : ' --events'} --hex-blob --skip-add-locks \\
  --default-character-set=utf8mb4 --max-allowed-packet=1G --databases -- "$REPLACED" > "$WORK/replaced.unchecked" &&
tail -n 1 < "$WORK/replaced.unchecked" | grep -q '^-- Dump completed' &&
mv -- "$WORK/replaced.unchecked" "$WORK/replaced.sql" &&
adapt "$REPLACED" &&
printf 'DROP DATABASE %s' "$(quoted "$REPLACED")" | ${STRICT_CLIENT} &&
load "$REPLACED" && ${STRICT_CLIENT} -- "$REPLACED" < "$WORK/events.sql" &&
echo 'OK, the database is replaced'`)}

\`DROP DATABASE\` removes the copy that was loaded first, \`rm -r -- "$WORK"\` what was unpacked.`
}

function flavourOf({ details }: StoredParts): Flavour {
  return FLAVOURS.find(({ name }) => name === details.flavour) ?? MARIADB
}
