import type { Catalog, Clock } from '@holdfast/core'

/** What a catalog must bring to be tested. */
export interface CatalogSubject {
  /** Makes a new, empty catalog. */
  create(): Promise<CatalogPlace>
}

/** Where one catalog is kept. */
export interface CatalogPlace {
  /** Opens it as one more process would: openings share nothing but what is stored. The caller closes it. */
  open(clocks: { readonly clock: Clock; readonly leaseClock?: Clock }): Promise<Catalog>
  /** Removes it, after the last opening was closed. */
  remove(): Promise<void>
}

/** A clock that stands still until it is moved. */
export class StillClock implements Clock {
  #nowMs = Date.parse('2026-03-01T12:00:00.000Z')

  now(): number {
    return this.#nowMs
  }

  /** The moment as the catalog writes it. */
  iso(offsetMs = 0): string {
    return new Date(this.#nowMs + offsetMs).toISOString()
  }

  advance(ms: number): void {
    this.#nowMs += ms
  }
}
