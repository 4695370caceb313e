import { AppError } from '@holdfast/core/domain'

type Labels = Readonly<Record<string, string>>

/** Labels as they are stored. Rejects with INVALID_REQUEST what a database could not search for afterwards. */
export function toLabelsJson(labels: Labels): string {
  for (const text of Object.entries(labels).flat()) {
    if (text.includes('\u0000') || !text.isWellFormed()) {
      throw new AppError('INVALID_REQUEST', 'a label holds characters that are not text')
    }
  }
  return JSON.stringify(labels)
}

/** Splits the filter `key` or `key=value`. */
export function parseLabelFilter(label: string): { readonly key: string; readonly value: string | null } {
  const at = label.indexOf('=')
  return at < 0 ? { key: label, value: null } : { key: label.slice(0, at), value: label.slice(at + 1) }
}
