import { AppError } from '@holdfast/core'
import type { Aside, FileIdentity } from './protocol.ts'

/** What {@link DatabaseDriver.stage} leaves for the swap, as JSON text in between. */
export interface Staged {
  readonly operationId: string
  readonly realPath: string
  readonly file: FileIdentity
  readonly wasWal: boolean
}

/** What a swap leaves for undo and removal. */
export interface Replaced {
  readonly operationId: string
  readonly realPath: string
  readonly aside: Aside
}

/** A ticket's text; its first field says which format it has. */
export function writeTicket(content: Staged | Replaced): string {
  return JSON.stringify({ version: 1, ...content })
}

/** Throws INVALID_REQUEST for anything that {@link writeTicket} has not written. */
export function readStaged(ticket: string): Staged {
  const { operationId, realPath, file, wasWal } = fieldsOf(ticket)
  if (typeof operationId === 'string' && typeof realPath === 'string' && typeof wasWal === 'boolean') {
    if (isIdentity(file)) return { operationId, realPath, file, wasWal }
  }
  throw notOurs()
}

/** Throws INVALID_REQUEST for anything that {@link writeTicket} has not written. */
export function readReplaced(ticket: string): Replaced {
  const { operationId, realPath, aside } = fieldsOf(ticket)
  if (typeof operationId === 'string' && typeof realPath === 'string' && isAside(aside)) {
    return { operationId, realPath, aside }
  }
  throw notOurs()
}

function fieldsOf(ticket: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(ticket)
  } catch {
    throw notOurs()
  }
  if (isRecord(parsed) && parsed.version === 1) return parsed
  throw notOurs()
}

function isAside(value: unknown): value is Aside {
  if (!isRecord(value) || typeof value.path !== 'string') return false
  if (value.kind === 'pages') return isTexts(value.more) && typeof value.wasWal === 'boolean'
  return value.kind === 'file' && isTexts(value.side) && (value.file === null || isIdentity(value.file))
}

function isIdentity(value: unknown): value is FileIdentity {
  return isRecord(value) && typeof value.device === 'string' && typeof value.inode === 'string'
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function notOurs(): AppError {
  return new AppError('INVALID_REQUEST', 'the ticket of a restore is not one of the SQLite driver')
}
