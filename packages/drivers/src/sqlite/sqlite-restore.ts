import { realpath, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type {
  DestinationReport,
  DumpDescription,
  ReplacedTicket,
  RestoreNeeds,
  StageRequest,
  StageTicket,
  SwapResult,
} from '@holdfast/core'
import { AppError, throwIfAborted } from '@holdfast/core'
import type { RestoreFiles } from './file-names.ts'
import { restoreFiles, SIDE_SUFFIXES } from './file-names.ts'
import type { JobHooks } from './helper-conversation.ts'
import type { DestinationOutput, FileAccess, HelperJobs } from './protocol.ts'
import { tidyingIfItFails } from './side-files.ts'
import type { SqliteDriverParts } from './sqlite-driver.ts'
import type { Replaced } from './tickets.ts'
import { readReplaced, readStaged, writeTicket } from './tickets.ts'
import { removeStaged, syncDirectory, writeStaged } from './write-staged.ts'

/** So often a change is repeated whose helper died: only repeating it tells whether it had happened. */
const CHANGE_ATTEMPTS = 3

/** Brings a dump into place at one path: the half of the driver that writes. */
export class SqliteRestore {
  readonly #access: FileAccess
  readonly #parts: SqliteDriverParts

  constructor(access: FileAccess, parts: SqliteDriverParts) {
    this.#access = access
    this.#parts = parts
  }

  async inspectDestination(signal: AbortSignal): Promise<DestinationReport> {
    const destination = await this.#destination(signal)
    const { state, realPath, sizeBytes } = destination
    return {
      exists: state !== 'absent',
      occupied: state === 'database' || state === 'other',
      sizeBytes,
      lockKey: `sqlite:${realPath}`,
      location: realPath,
      warnings: warningsOf(destination),
    }
  }

  /** The dump is the database: what it needs is its own size. That there is room for it is found out by staging. */
  async preflight(dump: DumpDescription): Promise<RestoreNeeds> {
    requireFormat(dump.format)
    return { bytesNeeded: dump.sizeBytes, privileges: [], warnings: [] }
  }

  async stage(request: StageRequest, source: Readable, signal: AbortSignal): Promise<StageTicket> {
    try {
      throwIfAborted(signal)
      requireFormat(request.dump.format)
      const destination = await this.#destination(signal)
      requireSpace(destination, request.dump.sizeBytes)
      const { realPath } = destination
      const { staged } = filesOf(realPath, request.operationId)
      await removeAll(staged)
      const own = await writeStaged(staged, request, source, signal)
      try {
        await this.#requireSound(staged, signal)
        const file = { device: String(own.dev), inode: String(own.ino) }
        const wasWal = destination.isWal === true
        return writeTicket({ operationId: request.operationId, realPath, file, wasWal })
      } catch (error) {
        await removeStaged(staged, own)
        throw error
      }
    } catch (error) {
      // whoever produces the bytes must not wait for a reader that will never come
      source.destroy()
      throw error
    }
  }

  async swap(ticket: StageTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<SwapResult> {
    const { operationId, realPath, file, wasWal } = readStaged(ticket)
    await this.#requireRealPath(realPath)
    const input = { ...this.#access, operationId, staged: file, wasWal }
    const { aside, warnings } = await this.#change('swap', input, confirm, signal)
    if (aside === null) return { replaced: null, warnings }
    const location = aside.path
    return { replaced: { ticket: writeTicket({ operationId, realPath, aside }), location }, warnings }
  }

  async discardStaged(operationId: string): Promise<void> {
    const realPath = await this.#realPath()
    if (realPath === null) return
    const { staged, asidePart } = filesOf(realPath, operationId)
    await removeAll(staged)
    await removeAll(asidePart)
    await syncDirectory(dirname(realPath))
  }

  async undo(ticket: ReplacedTicket, confirm: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { operationId, realPath, aside } = readReplaced(ticket)
    await this.#requireRealPath(realPath)
    await this.#change('undo', { ...this.#access, operationId, aside }, confirm, signal)
  }

  async removeReplaced(ticket: ReplacedTicket): Promise<void> {
    const replaced = readReplaced(ticket)
    if ((await this.#realPath()) === null) return
    await this.#requireRealPath(replaced.realPath)
    for (const path of asidePaths(replaced)) await rm(path, { force: true })
    await syncDirectory(dirname(replaced.realPath))
  }

  /** A change happens as a whole or not at all; if its helper dies, only repeating it tells which. */
  async #change<Name extends 'swap' | 'undo'>(
    name: Name,
    input: HelperJobs[Name]['input'],
    confirm: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<HelperJobs[Name]['output']> {
    const { pool } = this.#parts
    for (let attempt = 1; ; attempt += 1) {
      let isAllowed = false
      const allow = async () => {
        await confirm()
        isAllowed = true
      }
      try {
        const hooks = { ...this.#hooks(signal), confirm: allow }
        return await tidyingIfItFails(pool, this.#access, () => pool.run(name, input, hooks))
      } catch (error) {
        const { asidePart } = filesOf(await this.#requireRealPath(), input.operationId)
        await removeAll(asidePart)
        const isUnknown = isAllowed && (!(error instanceof AppError) || error.code === 'TOOL_FAILED')
        if (!isUnknown || attempt === CHANGE_ATTEMPTS) throw error
      }
    }
  }

  async #destination(signal: AbortSignal): Promise<DestinationOutput> {
    return this.#parts.pool.run('destination', this.#access, this.#hooks(signal))
  }

  async #requireSound(file: string, signal: AbortSignal): Promise<void> {
    const { pool } = this.#parts
    const report = await pool.run('check', { file, depth: 'integrity' }, this.#hooks(signal))
    if (report.valid) return
    throw new AppError('VERIFICATION_FAILED', `the staged database is not sound: ${report.message}`, {
      hint: 'the destination was not touched; the bytes are those of the backup, so that the source was damaged before',
    })
  }

  #hooks(signal: AbortSignal): JobHooks {
    return { signal, openWithinMs: this.#parts.patience.openWithinMs }
  }

  /** Directories resolved; null if they are not there. */
  async #realPath(): Promise<string | null> {
    const { path } = this.#access
    try {
      return join(await realpath(dirname(path)), basename(path))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
      throw error
    }
  }

  /** A ticket is for one file: a target whose path leads elsewhere by now must not receive its data. */
  async #requireRealPath(expected?: string): Promise<string> {
    const realPath = await this.#realPath()
    if (realPath !== null && (expected === undefined || realPath === expected)) return realPath
    throw new AppError(
      'INVALID_REQUEST',
      'the ticket of the restore is for another place than the target now names',
    )
  }
}

function filesOf(realPath: string, operationId: string): RestoreFiles {
  const files = restoreFiles(realPath, operationId)
  if (files !== null) return files
  throw new AppError('INVALID_REQUEST', 'the operation id cannot be part of a file name')
}

function requireFormat(format: string): void {
  if (format === 'sqlite') return
  throw new AppError('INVALID_REQUEST', `the SQLite driver cannot restore the format ${format}`)
}

/** Staged file, copy of the old database, and what SQLite's transaction writes until it commits. */
function requireSpace({ sizeBytes, isWal, freeBytes }: DestinationOutput, newBytes: number): void {
  const transaction = isWal === true ? newBytes : sizeBytes
  const needed = newBytes + sizeBytes + transaction
  if (freeBytes >= needed) return
  throw new AppError(
    'TEMPORARY_SPACE_FULL',
    `${freeBytes} bytes are free beside the destination, the restore needs ${needed}`,
    { hint: 'the new database, a copy of the old one and a journal need room there at once: free space' },
  )
}

function warningsOf({ state, leftovers }: DestinationOutput): readonly string[] {
  const warnings: string[] = []
  if (state === 'other')
    warnings.push('the file at the destination is not an SQLite database; it will be kept aside')
  if (state === 'absent' && leftovers.length > 0) {
    warnings.push(
      `files of a database that is gone lie there (${leftovers.join(', ')}); they will be kept aside`,
    )
  }
  return warnings
}

async function removeAll(path: string): Promise<void> {
  for (const suffix of ['', ...SIDE_SUFFIXES]) await rm(`${path}${suffix}`, { force: true })
}

/** Only names that a swap of this operation gives: a ticket removes nothing else. */
function asidePaths({ realPath, operationId, aside }: Replaced): readonly string[] {
  const { asides } = filesOf(realPath, operationId)
  const claimed = aside.kind === 'pages' ? [aside.path, ...aside.more] : [aside.path]
  return claimed
    .filter((path) => asides.includes(path))
    .flatMap((path) => ['', ...SIDE_SUFFIXES].map((suffix) => `${path}${suffix}`))
}
