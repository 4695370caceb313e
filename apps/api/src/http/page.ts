import type { Page, PageRequest } from '@holdfast/core'
import type { TSchema } from 'typebox'
import { Type } from 'typebox'

const DEFAULT_LIMIT = 50

/** Query parameters of every list. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: DEFAULT_LIMIT })),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 512,
      pattern: '^[\\x21-\\x7e]+$',
      description: '`nextCursor` of the page before',
    }),
  ),
}

/** A page of `item`. */
export function pageSchema<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()]),
    total: Type.Integer({ minimum: 0 }),
  })
}

export function toPageRequest(query: { readonly limit?: number; readonly cursor?: string }): PageRequest {
  return { limit: query.limit ?? DEFAULT_LIMIT, cursor: query.cursor ?? null }
}

export function toPageView<Item, View>(page: Page<Item>, toView: (item: Item) => View) {
  return { items: page.items.map(toView), nextCursor: page.nextCursor, total: page.total }
}
