import { closeSync, openSync, rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { SIDE_SUFFIXES } from '../file-names.ts'
import type { FileAccess } from '../protocol.ts'
import { finishCopy } from './backup-api.ts'
import { CHUNK_BYTES, writeFully } from './copy-pages.ts'
import { readFully } from './database-header.ts'
import { Descriptors } from './descriptors.ts'
import type { Copied } from './dump.ts'
import { readFacts } from './facts.ts'
import type { JobLink } from './link.ts'
import { locateExisting, lstatOrNull } from './locate-file.ts'
import { harden, touch } from './open-source.ts'

/** A file's time of change may stand still for some milliseconds: only what is older shows every later change. */
const SETTLED_MS = 100

/**
 * Copies a database that a crash left in the middle of a transaction, together with its journal, and lets SQLite roll
 * the copy back: doing that in place would be a change to the source. Null if the files changed while they were
 * copied, because somebody else opened the database.
 */
export async function recoverPrivately(
  input: FileAccess & { readonly sinkFile: string },
  link: JobLink,
): Promise<Copied | null> {
  const { realPath } = locateExisting(input)
  link.opened()
  const before = await settledStamp(realPath)
  const pinnedAfterMs = link.sinceStartMs()
  const descriptors = new Descriptors()
  try {
    copyFile(descriptors.open(realPath), input.sinkFile, link)
    if (lstatOrNull(`${realPath}-journal`) !== null) {
      copyFile(descriptors.open(`${realPath}-journal`), `${input.sinkFile}-journal`, link)
    }
  } finally {
    descriptors.closeAll()
  }
  if (stampOf(realPath) !== before) {
    for (const suffix of ['', ...SIDE_SUFFIXES]) rmSync(`${input.sinkFile}${suffix}`, { force: true })
    return null
  }
  const facts = rollBack(input.sinkFile)
  return {
    facts,
    sha256: finishCopy(input.sinkFile),
    copiedBy: 'recovered',
    pinnedAfterMs,
    counted: null,
    warnings: [
      'a crash had left the database in the middle of a transaction; the backup is a private copy in which it was rolled back, the source was not touched',
    ],
  }
}

function rollBack(file: string) {
  const connection = new Database(file, { fileMustExist: true })
  try {
    harden(connection)
    touch(connection)
    connection.pragma('journal_mode = DELETE')
    return readFacts(connection)
  } finally {
    connection.close()
  }
}

/** Everything by which a change to the database or to what lies beside it can be told. */
function stampOf(realPath: string): string {
  const stats = ['', ...SIDE_SUFFIXES].map((suffix) => lstatOrNull(`${realPath}${suffix}`))
  return stats
    .map((stat) =>
      stat === null ? '-' : [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':'),
    )
    .join(' ')
}

async function settledStamp(realPath: string): Promise<string> {
  let stamp = stampOf(realPath)
  for (let waited = 0; waited < 1000; waited += SETTLED_MS) {
    await setTimeout(SETTLED_MS)
    const later = stampOf(realPath)
    if (later === stamp) return stamp
    stamp = later
  }
  return stamp
}

function copyFile(from: number, to: string, link: JobLink): void {
  const target = openSync(to, 'wx', 0o600)
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES)
    for (let position = 0; ; ) {
      const count = readFully(from, buffer, position)
      if (count === 0) break
      writeFully(target, buffer.subarray(0, count))
      position += count
      link.progress(position, position)
    }
  } finally {
    closeSync(target)
  }
}
