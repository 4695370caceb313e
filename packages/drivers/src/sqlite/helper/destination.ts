import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { SIDE_SUFFIXES } from '../file-names.ts'
import type { DestinationOutput, FileAccess } from '../protocol.ts'
import type { DatabaseHeader } from './database-header.ts'
import { readHeader } from './database-header.ts'
import { Descriptors } from './descriptors.ts'
import { explain } from './failure.ts'
import type { JobLink } from './link.ts'
import { locateFile, lstatOrNull } from './locate-file.ts'

/** Says what lies at the destination of a restore by its header alone: opening it could leave files beside it. */
export function inspectDestination(input: FileAccess, link: JobLink): DestinationOutput {
  const { realPath, stat } = locateFile(input)
  link.opened()
  const leftovers = SIDE_SUFFIXES.filter((suffix) => lstatOrNull(`${realPath}${suffix}`) !== null)
  const base = { realPath, leftovers, freeBytes: freeBytes(realPath) }
  if (stat === null) return { ...base, state: 'absent', sizeBytes: 0, isWal: null }
  const sizeBytes = Number(stat.size)
  if (sizeBytes === 0) return { ...base, state: 'empty', sizeBytes, isWal: null }
  const header = headerOf(realPath)
  const state = header === null ? 'other' : 'database'
  return { ...base, state, sizeBytes, isWal: header?.isWal ?? null }
}

/** The header of the file at this path, null if it has none. */
export function headerOf(realPath: string): DatabaseHeader | null {
  const descriptors = new Descriptors()
  try {
    return readHeader(descriptors.open(realPath))
  } catch (error) {
    throw explain(error, realPath)
  } finally {
    descriptors.closeAll()
  }
}

function freeBytes(realPath: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(realPath))
    return bavail * bsize
  } catch (error) {
    throw explain(error, dirname(realPath))
  }
}
