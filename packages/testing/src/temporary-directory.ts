import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new directory below the system's one for temporary files. `remove` takes it away with everything in it. */
export interface TemporaryDirectory {
  readonly path: string
  remove(): Promise<void>
}

/** Makes a directory for one test. */
export async function makeTemporaryDirectory(what = 'test'): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `holdfast-${what}-`))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
