import type { FileHandle } from 'node:fs/promises'
import { lstat, readlink, realpath } from 'node:fs/promises'
import { basename, isAbsolute } from 'node:path'
import type { Readable } from 'node:stream'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Pack } from 'tar-stream'
import { pack as startPack } from 'tar-stream'
import type { IncludedDirectory } from '../domain/manifest.ts'
import { AppError, cancellation } from '../errors.ts'
import { CHUNK_BYTES } from './hash.ts'
import { requireInsideRoots } from './path-policy.ts'
import { tarHeader } from './tar-header.ts'
import { together } from './together.ts'
import type { FoundEntry } from './walk-directory.ts'
import { openFound, walkDirectory } from './walk-directory.ts'

const MOST_WARNINGS = 20

/** Settings of {@link tarDirectories}. */
export interface TarOptions {
  /** Directories below which included ones may lie. */
  readonly pathRoots: readonly string[]
  /** Files and directories (absolute) that are left out. */
  readonly exclude?: readonly string[]
  readonly signal: AbortSignal
}

/** What went into a tar. */
export interface TarSummary {
  /** Regular files and symbolic links. */
  readonly fileCount: number
  readonly warnings: readonly string[]
}

/** Directories on their way into one tar. */
export interface DirectoriesTar {
  readonly stream: Readable
  /** The top-level folder of each directory. */
  readonly include: readonly IncludedDirectory[]
  /** Resolves when everything is in the stream, which needs somebody to read it. */
  readonly done: Promise<TarSummary>
}

/**
 * One tar of directories as they are: files, empty directories, links (never followed), modes, owners and times.
 * What is no file, directory or link is left out with a warning. Rejects at once with PATH_NOT_ALLOWED or
 * INVALID_REQUEST for directories that may not be included; later both `stream` and `done` fail, with FILES_CHANGED
 * if something changes while it is read: a tar that ends normally is right.
 */
export async function tarDirectories(
  directories: readonly string[],
  options: TarOptions,
): Promise<DirectoriesTar> {
  const { signal } = options
  const roots: Root[] = []
  for (const directory of directories) roots.push(await planRoot(directory, roots, options.pathRoots))
  const excluded = await resolveExcluded(options.exclude ?? [])
  const stream = new PassThrough({ highWaterMark: CHUNK_BYTES })
  stream.on('error', () => {})
  const done = fill(stream, roots, excluded, signal)
  done.catch(() => {})
  return { stream, include: roots.map(({ directory, as }) => ({ directory, as })), done }
}

type Sink = ReturnType<Pack['entry']>

interface Root extends IncludedDirectory {
  readonly path: string
}

async function planRoot(
  directory: string,
  before: readonly Root[],
  pathRoots: readonly string[],
): Promise<Root> {
  if (!isAbsolute(directory))
    throw new AppError('INVALID_REQUEST', 'an included directory needs an absolute path')
  const path = await requireInsideRoots(directory, pathRoots)
  const stat = await lstat(directory).catch((cause: unknown) => {
    throw new AppError('INVALID_REQUEST', `the included directory ${directory} does not exist`, { cause })
  })
  if (stat.isSymbolicLink()) {
    throw new AppError('PATH_NOT_ALLOWED', `the included directory ${directory} is a link`, {
      hint: `include ${path} itself`,
    })
  }
  if (!stat.isDirectory()) throw new AppError('INVALID_REQUEST', `${directory} is not a directory`)
  return { directory, path, as: uniqueName(basename(path) || 'root', new Set(before.map(({ as }) => as))) }
}

function uniqueName(name: string, taken: ReadonlySet<string>): string {
  let unique = name
  for (let number = 2; taken.has(unique); number += 1) unique = `${name}-${number}`
  return unique
}

async function resolveExcluded(exclude: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set(await Promise.all(exclude.map((path) => realpath(path).catch(() => path))))
}

async function fill(
  stream: PassThrough,
  roots: readonly Root[],
  excluded: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<TarSummary> {
  const pack = startPack({ highWaterMark: CHUNK_BYTES })
  pack.on('error', () => {})
  try {
    const [summary] = await together(signal, (both) => [
      new TarFilling(pack, stream, both).run(roots, excluded),
      pipeline(chunksOf(pack), stream, { end: false, signal: both }),
    ])
    stream.end()
    return summary
  } catch (error) {
    const failure = signal.aborted ? cancellation(signal) : error
    stream.destroy(failure instanceof Error ? failure : new Error('tar failed', { cause: failure }))
    throw failure
  }
}

/** Not piped: streams of the tar library's kind end and destroy what they are piped into by themselves. */
async function* chunksOf(pack: Pack): AsyncGenerator<unknown> {
  yield* pack
}

/** Writes entries one after the other, each only when the ones before it have flowed on. */
class TarFilling {
  readonly #pack: Pack
  readonly #stream: PassThrough
  readonly #signal: AbortSignal
  readonly #warnings: string[] = []
  #fileCount = 0
  #leftOut = 0

  constructor(pack: Pack, stream: PassThrough, signal: AbortSignal) {
    this.#pack = pack
    this.#stream = stream
    this.#signal = signal
  }

  async run(roots: readonly Root[], excluded: ReadonlySet<string>): Promise<TarSummary> {
    try {
      for (const root of roots) await this.#addRoot(root, excluded)
    } catch (error) {
      // the other half waits for it, deaf to signals
      this.#pack.destroy(error instanceof Error ? error : null)
      throw error
    }
    this.#pack.finalize()
    const more = this.#leftOut - this.#warnings.length
    const warnings = more > 0 ? [...this.#warnings, `${more} more were left out`] : this.#warnings
    return { fileCount: this.#fileCount, warnings }
  }

  async #addRoot(root: Root, excluded: ReadonlySet<string>): Promise<void> {
    const skip = (relative: string) => excluded.has(`${root.path}/${relative}`)
    for await (const entry of walkDirectory(root.path, skip, this.#signal)) {
      const original = entry.relative === '' ? root.path : `${root.path}/${entry.relative}`
      const name = entry.relative === '' ? root.as : `${root.as}/${entry.relative}`
      if (entry.kind === 'special') this.#leaveOut(original)
      else if (entry.kind === 'directory') await this.#addVoid(name, entry, null)
      else if (entry.kind === 'symlink') await this.#addLink(name, original, entry)
      else await this.#addFile(name, root.path, original, entry)
    }
  }

  #leaveOut(path: string): void {
    this.#leftOut += 1
    if (this.#warnings.length < MOST_WARNINGS) this.#warnings.push(`left out, as it is no file: ${path}`)
  }

  async #addLink(name: string, original: string, entry: FoundEntry): Promise<void> {
    const linkname = await readlink(entry.path).catch((cause: unknown) => {
      throw filesChanged(original, cause)
    })
    await this.#addVoid(name, entry, linkname)
    this.#fileCount += 1
  }

  async #addVoid(name: string, entry: FoundEntry, linkname: string | null): Promise<void> {
    const header = tarHeader(name, entry.stat, linkname)
    await this.#until((done) => this.#entry(header, done))
    // such entries know no back-pressure of their own
    if (this.#stream.writableNeedDrain) await this.#until((done) => this.#stream.once('drain', done))
  }

  async #addFile(name: string, root: string, original: string, entry: FoundEntry): Promise<void> {
    const handle = await openFound(root, entry)
    try {
      const before = await handle.stat({ bigint: true })
      if (!before.isFile()) throw filesChanged(original)
      await this.#until((done) => {
        const sink = this.#entry(tarHeader(name, before, null), done)
        this.#copy(handle, Number(before.size), sink, original).then(() => sink.end(null), done)
      })
      const after = await handle.stat({ bigint: true })
      if (after.size !== before.size || after.mtimeNs !== before.mtimeNs) throw filesChanged(original)
      this.#fileCount += 1
    } finally {
      await handle.close()
    }
  }

  #entry(header: ReturnType<typeof tarHeader>, done: (error?: Error | null) => void): Sink {
    const sink = this.#pack.entry(header, done)
    // it fails with the whole tar, of which `done` tells
    sink.on('error', () => {})
    return sink
  }

  async #copy(handle: FileHandle, sizeBytes: number, sink: Sink, original: string): Promise<void> {
    let position = 0
    while (position < sizeBytes) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, sizeBytes - position))
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
      if (bytesRead === 0) throw filesChanged(original)
      position += bytesRead
      const flows = sink.write(buffer.subarray(0, bytesRead))
      if (!flows) await this.#until((done) => sink.once('drain', done))
    }
  }

  /** Waits for a callback of the tar library, which forgets to call when the other half has failed. */
  #until(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const abort = () => reject(cancellation(signal))
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      start((error) => {
        signal.removeEventListener('abort', abort)
        if (error) reject(error)
        else resolve()
      })
    })
  }
}

function filesChanged(path: string, cause?: unknown): AppError {
  return new AppError('FILES_CHANGED', `${path} changed while it was read`, {
    cause,
    hint: 'include directories whose files stand still, or back up when they do',
  })
}
