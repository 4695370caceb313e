import { AppError } from '../errors.ts'

/** What names of targets, backups, storages and keys look like (design: section 6). */
export const NAME_PATTERN = '^[a-z0-9][a-z0-9._-]{0,62}$'

const NAME = new RegExp(NAME_PATTERN)
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** True for a lower-case UUID of any version. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** Returns the name, or throws INVALID_REQUEST: names are never a UUID, `latest`, `.` or `..`. */
export function requireName(what: string, name: string): string {
  if (NAME.test(name) && !isUuid(name) && name !== 'latest') return name
  throw new AppError('INVALID_REQUEST', `${what} is not a valid name`, {
    hint: `use 1 to 63 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit; not a UUID and not 'latest'`,
  })
}
