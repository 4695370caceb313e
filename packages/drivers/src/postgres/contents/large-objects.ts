import type { Session } from '../session.ts'
import { rowHash } from './column-digest.ts'
import type { DigestMethod } from './contents-file.ts'
import type { Scanned } from './scan.ts'
import { scan } from './scan.ts'

/** Large objects are read in pieces of this size: how their pages lie differs after a restore. */
const PIECE_BYTES = 1_048_576

const PIECE = [
  { name: 'object', type: 'oid' },
  { name: 'at', type: 'int8' },
  { name: 'data', type: 'bytea' },
]

/** All large objects of the database as one pseudo-table; null if there are none. */
export async function countLargeObjects(session: Session, method: DigestMethod): Promise<Scanned | null> {
  const scanned = await scan(session, [query(method)])
  return scanned.rows === 0 ? null : scanned
}

/** The data of one piece is hashed where it is read, so that nothing of it has to be kept. */
function query(method: DigestMethod): string {
  const hash = rowHash(PIECE, method)
  const read = (object: string, at: string) =>
    `LATERAL (SELECT octet_length(data) AS bytes, ${hash} AS hash
              FROM (SELECT ${object} AS object, ${at} AS at, lo_get(${object}, ${at}, ${PIECE_BYTES}) AS data) AS piece
             ) AS piece`
  return `
    SELECT rows, digest FROM (
      WITH RECURSIVE pieces (object, at, bytes, hash) AS (
        SELECT known.oid, 0::bigint, piece.bytes, piece.hash
        FROM pg_largeobject_metadata AS known, ${read('known.oid', '0::bigint')}
        UNION ALL
        SELECT pieces.object, pieces.at + ${PIECE_BYTES}, piece.bytes, piece.hash
        FROM pieces, ${read('pieces.object', `pieces.at + ${PIECE_BYTES}`)}
        WHERE pieces.bytes = ${PIECE_BYTES}
      )
      SELECT count(*) FILTER (WHERE at = 0) AS rows, sum(hash) AS digest FROM pieces
    ) AS objects`
}
