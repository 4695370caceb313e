import { printable } from './printable.ts'
import { NOTHING } from './units.ts'

/** One column: its heading, what stands in it, and whether that is a number. */
export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | null
  readonly alignRight?: boolean
}

/** Rows below their headings, in columns as wide as needed. Columns without any value are left out. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const filled = columns
    .map((column) => ({ ...column, cells: rows.map((row) => printable(column.value(row) ?? NOTHING)) }))
    .filter(({ cells }) => cells.some((cell) => cell !== NOTHING))
  const widths = filled.map(({ title, cells }) => Math.max(title.length, ...cells.map((cell) => cell.length)))
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => {
        const width = widths[index] ?? 0
        return filled[index]?.alignRight ? text.padStart(width) : text.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  const heading = line(filled.map(({ title }) => title.toUpperCase()))
  return [heading, ...rows.map((_, row) => line(filled.map(({ cells }) => cells[row] ?? NOTHING)))].join('\n')
}

/** Names and values below each other; null leaves a line out. */
export function renderDetails(details: readonly (readonly [name: string, value: string | null])[]): string {
  const shown = details.flatMap(([name, value]) =>
    value === null || value === NOTHING ? [] : [[name, value] as const],
  )
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join('\n')
}

/** `team=a, tier=1`; null if there are none. */
export function labelsText(labels: Readonly<Record<string, string>>): string | null {
  const entries = Object.entries(labels)
  return entries.length === 0 ? null : entries.map(([key, value]) => `${key}=${value}`).join(', ')
}
