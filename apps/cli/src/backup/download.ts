import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ArtifactRole, Download } from '@holdfast/client'
import { CliError, usageError } from '../cli-error.ts'
import { EXIT } from '../exit-codes.ts'
import { progressFor } from '../progress/follow-operation.ts'
import type { Session } from '../session.ts'
import { bytesText } from '../text/units.ts'
import type { LatestOptions } from './find.ts'
import { findBackup } from './find.ts'

export interface DownloadBackupOptions extends LatestOptions {
  readonly artifact: ArtifactRole
  /** A file, or `-` for standard output. */
  readonly output?: string
  readonly force?: boolean
}

const STDOUT = '-'

/** Fetches a stored artifact and compares every byte with the checksum: the file appears whole and right or not at all. */
export async function downloadBackup(
  session: Session,
  reference: string,
  options: DownloadBackupOptions,
): Promise<void> {
  const { host, client } = session
  const { artifact, output, force } = options
  if (output === STDOUT && (session.json || host.stdout.isTTY)) {
    throw usageError(
      'standard output cannot take the file here',
      'pipe it somewhere, without --json; or name a file',
    )
  }
  const backup = await findBackup(session, reference, options)
  const download = await client.backups.download(backup.id, { artifact, signal: host.interrupted })
  if (output === STDOUT) {
    await receive(session, download, host.stdout)
    return
  }
  const name = output ?? download.fileName ?? `${backup.target}-${backup.id}-${artifact}`
  const file = resolve(host.cwd, name)
  if (!force) await requireAbsent(file)
  const { sizeBytes, sha256 } = await receiveInto(session, download, file)
  session.show(
    { backupId: backup.id, file, sizeBytes, sha256 },
    () => `${file} (${bytesText(sizeBytes)}, sha256 ${sha256})`,
  )
}

async function receiveInto(session: Session, download: Download, file: string) {
  const partial = `${file}.partial`
  try {
    const received = await receive(session, download, createWriteStream(partial, { mode: 0o600 }))
    await rename(partial, file)
    return received
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function receive(session: Session, download: Download, sink: NodeJS.WritableStream) {
  const { host } = session
  const display = progressFor(session)
  const hash = createHash('sha256')
  let sizeBytes = 0
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      sizeBytes += chunk.length
      display.show({
        title: 'backup',
        phase: 'downloading',
        bytes: sizeBytes,
        totalBytes: download.sizeBytes,
        percent: null,
      })
      done(null, chunk)
    },
  })
  try {
    const source = Readable.fromWeb(download.stream)
    await pipeline(source, counting, sink, { signal: host.interrupted, end: sink !== host.stdout })
  } catch (error) {
    throw host.interrupted.aborted ? interrupted() : broken(error)
  } finally {
    display.end()
  }
  const sha256 = hash.digest('hex')
  if (download.sha256 !== null && download.sha256 !== sha256) throw notAsStored()
  return { sizeBytes, sha256 }
}

async function requireAbsent(file: string): Promise<void> {
  const there = await stat(file).catch(() => null)
  if (there === null) return
  throw new CliError({
    code: 'FILE_EXISTS',
    detail: `${file} exists already`,
    hint: 'name another file with --output, or overwrite it with --force',
    exitCode: EXIT.conflict,
  })
}

function broken(error: unknown): CliError {
  const reason = error instanceof Error ? error.message : 'unknown reason'
  return new CliError({
    code: 'DOWNLOAD_FAILED',
    detail: `the download did not complete: ${reason}`,
    exitCode: EXIT.failed,
  })
}

function interrupted(): CliError {
  return new CliError({
    code: 'INTERRUPTED',
    detail: 'interrupted: no file was written',
    exitCode: EXIT.interrupted,
  })
}

function notAsStored(): CliError {
  return new CliError({
    code: 'DOWNLOAD_FAILED',
    detail: 'what arrived is not what is stored: its checksum differs',
    hint: 'try again; if it stays so, verify the backup',
    exitCode: EXIT.failed,
  })
}
