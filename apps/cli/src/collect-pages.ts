import type { Page } from '@holdfast/client'

const LARGEST_PAGE = 200

/** How much of a list is wanted. */
export interface ListOptions {
  readonly limit?: number
  readonly cursor?: string
  readonly all?: boolean
}

type FetchPage<Item> = (page: { limit: number; cursor: string | undefined }) => Promise<Page<Item>>

const DEFAULT_LIMIT = 50

/** Asks for as many pages as the limit needs, and only for items that are `wanted`. */
export async function collectPages<Item>(
  fetchPage: FetchPage<Item>,
  options: ListOptions,
  wanted: ((item: Item) => boolean) | null = null,
): Promise<Page<Item>> {
  const limit = options.all ? Number.POSITIVE_INFINITY : (options.limit ?? DEFAULT_LIMIT)
  const items: Item[] = []
  let cursor = options.cursor
  for (;;) {
    const size = wanted === null ? Math.min(limit - items.length, LARGEST_PAGE) : LARGEST_PAGE
    const page = await fetchPage({ limit: size, cursor })
    items.push(...(wanted === null ? page.items : page.items.filter(wanted)))
    const isLast = page.nextCursor === null
    if (isLast || items.length >= limit) return pageOf(items, limit, page, wanted !== null)
    cursor = page.nextCursor ?? undefined
  }
}

/** A list that was filtered here has no position to go on from, and its total is what was found. */
function pageOf<Item>(items: Item[], limit: number, last: Page<Item>, isFiltered: boolean): Page<Item> {
  if (!isFiltered) return { items, nextCursor: last.nextCursor, total: last.total }
  const shown = items.slice(0, limit)
  return { items: shown, nextCursor: null, total: shown.length }
}

/** For people: that there is more than was shown; null if there is not. */
export function moreText({ items, nextCursor, total }: Page<unknown>): string | null {
  return nextCursor === null
    ? null
    : `${total - items.length} more of ${total}: --all shows them, or a greater --limit`
}
