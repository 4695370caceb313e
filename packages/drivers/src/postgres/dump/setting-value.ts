import { quoted } from '../contents/table-names.ts'

/** Settings that are lists of names, and are stored as such: in one literal they would be a single name. */
const LISTS: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

/** `name TO value`, for ALTER … SET, of a setting as the catalog has it: `name=value`. */
export function settingValue(setting: string): string {
  const equals = setting.indexOf('=')
  const [name, value] = [setting.slice(0, equals), setting.slice(equals + 1)]
  const values = LISTS.has(name.toLowerCase()) ? namesIn(value) : [value]
  return `${quoted(name)} TO ${values.map(literal).join(', ')}`
}

/** A text in SQL, whatever the server thinks of backslashes. */
export function literal(text: string): string {
  const inQuotes = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? `E${inQuotes.replaceAll('\\', '\\\\')}` : inQuotes
}

/** The names of a list such as `"$user", public`; an empty list is the empty name. */
function namesIn(list: string): readonly string[] {
  const names = [...list.matchAll(/"((?:[^"]|"")*)"|([^",\s][^",]*)/g)].map(([, literally, plain = '']) =>
    literally === undefined ? plain.trim() : literally.replaceAll('""', '"'),
  )
  return names.length === 0 ? [''] : names
}
