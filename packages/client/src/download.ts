import type { CallOptions, Transport } from './transport.ts'

/**
 * `data`: the dump. `files`: the tar of the included directories. Beside the dump of a database on a server:
 * `settings` (what it is set to), `contents` (what it holds and needs), `globals` (roles and tablespaces of the server;
 * for an admin only).
 */
export type ArtifactRole = 'data' | 'files' | 'settings' | 'contents' | 'globals'

/** What to download of a backup. */
export interface DownloadOptions extends CallOptions {
  /** The dump if it is left out. */
  readonly artifact?: ArtifactRole | undefined
}

/** A stored artifact on its way: its bytes as they lie in the storage. */
export interface Download {
  readonly stream: ReadableStream<Uint8Array>
  /** As the service proposes it; null if it does not. */
  readonly fileName: string | null
  readonly sizeBytes: number | null
  /** SHA-256 (hex) that the whole stream must have; compare it before you rely on the file. */
  readonly sha256: string | null
}

/** Resolves once the bytes begin to come. Rejects with BACKUP_NOT_FOUND, OBJECT_NOT_FOUND, … */
export async function downloadBackup(
  transport: Transport,
  backup: string,
  { artifact, signal }: DownloadOptions = {},
): Promise<Download> {
  const path = `/v1/backups/${encodeURIComponent(backup)}/download`
  const response = await transport.stream({ method: 'GET', path, query: { artifact }, signal })
  const length = response.headers.get('content-length')
  return {
    stream: response.body ?? new Blob([]).stream(),
    fileName: fileNameIn(response.headers.get('content-disposition') ?? ''),
    sizeBytes: length === null ? null : Number(length),
    sha256: response.headers.get('x-checksum-sha256'),
  }
}

/** Only a plain name: a path in it is nothing that anybody should write to. */
function fileNameIn(disposition: string): string | null {
  const [, name = ''] = /filename="([^"/\\]+)"/.exec(disposition) ?? []
  return name === '' || name.startsWith('.') ? null : name
}
