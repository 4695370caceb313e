const LARGE_OBJECT_DATA = /^-- Data for Name: .{1,40}; Type: BLOBS; Schema: -; Owner: /
const OF_LARGE_OBJECTS = /^(?:BEGIN;|COMMIT;|--.*|SELECT pg_catalog\.lo.*|)$/
/** Enough of a line to know it by. */
const LOOKED_AT = 200
const NEWLINE = 10

/** Takes the transactions around the data of large objects out of a script that comes in pieces. */
export class TransactionFilter {
  #isInside = false
  /** What has been let through ends in the middle of a line. */
  #isMidLine = false

  /** What of a piece goes on, and from where the rest is to be given again together with the next one. */
  take(piece: Buffer): { readonly kept: Buffer; readonly from: number } {
    const kept: Buffer[] = []
    let from = 0
    let begun = 0
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      if (this.#isDropped(piece.toString('latin1', from, Math.min(end, from + LOOKED_AT)))) {
        kept.push(piece.subarray(begun, from))
        begun = end + 1
      }
      this.#isMidLine = false
      from = end + 1
    }
    // the beginning of a long line is known, and of a short one there is more to come
    if (piece.length - from > LOOKED_AT) {
      this.#isDropped(piece.toString('latin1', from, from + LOOKED_AT))
      this.#isMidLine = true
      from = piece.length
    }
    kept.push(piece.subarray(begun, from))
    return { kept: Buffer.concat(kept), from }
  }

  #isDropped(line: string): boolean {
    if (this.#isMidLine) return false
    if (LARGE_OBJECT_DATA.test(line)) this.#isInside = true
    else if (this.#isInside) this.#isInside = OF_LARGE_OBJECTS.test(line)
    return this.#isInside && (line === 'BEGIN;' || line === 'COMMIT;')
  }
}
