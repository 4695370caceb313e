import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteName } from '../quote.ts'
import { orderViews } from './order-views.ts'
import { mentionsSchema, requalify } from './requalify.ts'
import type { Program } from './schema-objects.ts'
import type { Dialect } from './sql-tokens.ts'
import { PLAIN_DIALECT, tokensOf } from './sql-tokens.ts'

const ANSI: Dialect = { ...PLAIN_DIALECT, ansiQuotes: true, plainBackslashes: true }

const VIEW: Program = {
  kind: 'view',
  name: 'v',
  createSql: '',
  encoding: 'utf8',
  definer: null,
  sqlMode: '',
  charset: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
  databaseCollation: null,
  timeZone: null,
  createdAt: null,
  table: null,
  orderedAfter: null,
  grants: [],
}

/** SQL whose every piece is closed, and what must become of it when `a` is called `b`. */
const closed = (dialect: Dialect) => {
  const any = fc.string({ unit: 'binary', maxLength: 12 })
  const bait = fc.oneof(
    any,
    fc.constantFrom('`a`.`f`(', ' from `a`.`t` ', 'nextval(`a`.`s`)', "'", '"', '\\', '`'),
  )
  const quoted = (quote: string, escapes: boolean) => (text: string) =>
    quote + (escapes ? text.replaceAll('\\', '\\\\') : text).replaceAll(quote, quote + quote) + quote
  const same = (text: string) => [text, text] as const
  return fc.array(
    fc.oneof(
      bait.map(quoted("'", !dialect.plainBackslashes)).map(same),
      dialect.ansiQuotes
        ? bait
            .filter((text) => text !== 'a')
            .map(quoted('"', false))
            .map(same)
        : bait.map(quoted('"', true)).map(same),
      bait
        .filter((text) => text !== 'a')
        .map(quoteName)
        .map(same),
      bait.map((text) => same(`/* ${text.replaceAll('*', '')} */`)),
      bait.map((text) => same(`-- ${text.replaceAll('\n', '')}\n`)),
      bait.map((text) => same(`#${text.replaceAll('\n', '')}\n`)),
      fc.constant(same("'\\\\'")),
      fc.constantFrom(
        ['`a`.`f`(1)', '`b`.`f`(1)'] as const,
        ['/*!50001 `a`.`f`() */', '/*!50001 `b`.`f`() */'] as const,
        ['`a`.`t`.`c`', '`b`.`t`.`c`'] as const,
        ['nextval(`a`.`s`)', 'nextval(`b`.`s`)'] as const,
        ['from ((`a`.`t` `x` join `a`.`u`', 'from ((`b`.`t` `x` join `b`.`u`'] as const,
        ...['`a`.`c`', '`x`.`a`', '`a`', 'extract(year from `a`.`c`)', '`x`.`a`.`f`', 'a - 1'].map(same),
      ),
    ),
  )
}

describe('requalify', () => {
  it.each([
    ['of the usual modes', PLAIN_DIALECT],
    ['of ANSI', ANSI],
  ])('changes qualifiers and nothing else in SQL %s', (_, dialect) => {
    fc.assert(
      fc.property(closed(dialect), (pieces) => {
        const before = pieces.map(([text]) => text).join(' ;')
        const after = pieces.map(([, text]) => text).join(' ;')
        expect(requalify(before, 'a', 'b', dialect)).toBe(after)
        expect(requalify(after, 'b', 'b', dialect)).toBe(after)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps SQL whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (sql, ansi) => {
        const tokens = [...tokensOf(sql, ansi ? ANSI : PLAIN_DIALECT)]
        expect(tokens.map(({ source }) => source).join('')).toBe(sql)
        expect(tokens.every(({ start, end }) => end > start)).toBe(true)
      }),
    )
  })

  it('quotes any name, and finds it again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ minLength: 1 }), (from, to) => {
        const there = requalify(`select ${quoteName(from)}.\`f\`(1) from ${quoteName(from)}.\`t\``, from, to)
        expect(there).toBe(`select ${quoteName(to)}.\`f\`(1) from ${quoteName(to)}.\`t\``)
        expect(requalify(there, to, from)).toContain(`${quoteName(from)}.\`f\``)
      }),
    )
  })

  it('knows names in double quotes where they are names', () => {
    expect(requalify('select "a"."f"(1), \'"a"."f"(\'', 'a', 'b', ANSI)).toBe(
      'select `b`."f"(1), \'"a"."f"(\'',
    )
    expect(requalify('select "a"."f"(1)', 'a', 'b')).toBe('select "a"."f"(1)')
  })

  it('finds what people wrote, too', () => {
    for (const sql of [
      'INSERT INTO a.t VALUES (1)',
      'CALL a.p()',
      'SELECT a.t.c',
      'UPDATE `a`.t SET x = 1',
      'SELECT a.f()',
    ]) {
      expect(mentionsSchema(sql, 'a')).toBe(true)
    }
    for (const sql of [
      'SELECT a.c',
      "SELECT 'a.t'",
      'SELECT x.a.t',
      '/* FROM a.t */',
      'SELECT 1 FROM ba.t',
    ]) {
      expect(mentionsSchema(sql, 'a')).toBe(false)
    }
  })
})

describe('orderViews', () => {
  it('puts each after what it reads, and ends where they read one another', () => {
    const views = [
      { ...VIEW, name: 'a', createSql: 'CREATE VIEW `a` AS select `b`.`x` from `b`' },
      { ...VIEW, name: 'b', createSql: 'CREATE VIEW `b` AS select 1 from `f` where "`a`"' },
      { ...VIEW, name: 'c', createSql: 'CREATE VIEW `c` AS select 1 from `d`' },
      { ...VIEW, name: 'd', createSql: 'CREATE VIEW `d` AS select 1 from `c`' },
      { ...VIEW, kind: 'function', name: 'f' } as const,
    ]
    expect(orderViews(views).map(({ name }) => name)).toEqual(['b', 'a', 'd', 'c'])
  })
})
