import { Readable } from 'node:stream'
import type { UnsignedManifest } from '../domain/manifest.ts'
import { signManifest } from '../domain/manifest.ts'
import { manifestKey, restoreNotesKey } from '../domain/object-keys.ts'
import { restoreNotes } from '../domain/restore-notes.ts'
import { hasCode } from '../errors.ts'
import type { OperationContext } from '../ports/handler.ts'
import type { Storage } from '../ports/storage.ts'
import type { WorkDeps } from '../ports/work.ts'
import { writeState } from './write-state.ts'

/**
 * Writes what stands beside the artifacts, and last the manifest, whose presence is the commit. Rejects with
 * FENCE_LOST if another worker has taken over.
 */
export async function commitManifest(
  deps: Pick<WorkDeps, 'catalog' | 'signer' | 'drivers'>,
  storage: Storage,
  manifest: UnsignedManifest,
  context: Pick<OperationContext, 'held' | 'signal' | 'report'>,
): Promise<void> {
  const { target, id, storedBytes } = manifest
  context.report('committing', { bytes: storedBytes, totalBytes: storedBytes, percent: 100 })
  const engine = deps.drivers.byEngine(manifest.engine)
  const notes = restoreNotes(manifest, (parts) => engine.restoreSteps(parts))
  await Promise.all([
    storage.replace(restoreNotesKey(target, id), Buffer.from(notes)),
    // asked again: people may have changed it while the backup was taken
    deps.catalog.backups.get(id).then((backup) => writeState(storage, backup)),
  ])

  const bytes = signManifest(manifest, deps.signer)
  await deps.catalog.operations.confirm(context.held)
  const put = () => storage.put(manifestKey(target, id), Readable.from([bytes]), context.signal)
  try {
    await put()
  } catch (error) {
    if (!hasCode(error, 'OBJECT_EXISTS')) throw error
    // written meanwhile by a worker that had lost its lease: its artifacts were removed when we took over
    await deps.catalog.operations.confirm(context.held)
    await storage.delete(manifestKey(target, id))
    await put()
  }
}
