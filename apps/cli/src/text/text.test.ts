import { describe, expect, it } from 'vitest'
import { printable } from './printable.ts'
import { renderDetails, renderTable } from './table.ts'
import { bytesText, durationText, momentText } from './units.ts'

describe('units', () => {
  it('makes sizes readable', () => {
    const sizes = [0, 1023, 1024, 1536, 1024 ** 2 - 1, 5 * 1024 ** 3, null]
    expect(sizes.map(bytesText)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.5 KiB',
      '1024.0 KiB',
      '5.0 GiB',
      '-',
    ])
  })

  it('makes durations readable', () => {
    const durations = [0, 999, 1_500, 61_000, 3_600_000, 90_061_000, null]
    expect(durations.map(durationText)).toEqual([
      '0 ms',
      '999 ms',
      '1.5 s',
      '1 min 1 s',
      '1 h',
      '1 d 1 h',
      '-',
    ])
  })

  it('shows moments in UTC, whatever zone they came in', () => {
    expect(momentText('2026-01-31T13:00:05.999+01:00')).toBe('2026-01-31 12:00:05Z')
    expect(momentText(null)).toBe('-')
  })
})

describe('tables', () => {
  it('are as wide as needed and leave out empty columns', () => {
    const rows = [
      { name: 'a', size: '10 B' },
      { name: 'long name', size: '9 B' },
    ]
    const text = renderTable(
      [
        { title: 'name', value: ({ name }) => name },
        { title: 'label', value: () => null },
        { title: 'size', value: ({ size }) => size, alignRight: true },
      ],
      rows,
    )
    expect(text).toBe('NAME       SIZE\na          10 B\nlong name   9 B')
  })

  it('leave out details that are not there', () => {
    const details = [
      ['id', '1'],
      ['note', null],
      ['expires', '-'],
      ['status', 'ok'],
    ] as const
    expect(renderDetails(details)).toBe('id      1\nstatus  ok')
  })
})

describe('text from elsewhere', () => {
  it('cannot steer a terminal', () => {
    expect(printable('a\u001b[2Jb\r\n\u009bc\u202ed é 漢')).toBe(
      'a\\u001b[2Jb\\u000d\\u000a\\u009bc\\u202ed é 漢',
    )
  })
})
