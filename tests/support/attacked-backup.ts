import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { BackupBody, Manifest, OperationContext, VerificationLevel } from '@holdfast/core'
import { AppError, acceptBackup, acceptRestore, acceptVerify, loadManifest, toFailure } from '@holdfast/core'
import { stillLife } from './still-life.ts'
import { sqliteUrl } from './system.ts'
import type { Workshop } from './workshop.ts'
import { CALLER } from './workshop.ts'

/** One backup to damage, and work on it that is begun and can be run again and again. */
export interface AttackedBackup {
  readonly id: string
  readonly folder: string
  readonly manifest: Manifest
  /** The directory with the live database and files that the restore would replace. */
  readonly destination: string
  /** What it looks like, and has to look like whatever is tried. */
  readonly untouched: Readonly<Record<string, string>>
  readonly restore: OperationContext
  readonly dryRun: OperationContext
  readonly verify: OperationContext
}

/** What a backup to be attacked is like, and at which level it is verified. */
export interface AttackPlan {
  readonly kind: string
  readonly body: Omit<BackupBody, 'target'>
  readonly hasFiles: boolean
  readonly level: VerificationLevel
}

/**
 * Runs the restore as a worker does, and requires that it is refused with one of these codes and that nothing at the
 * destination shows it. `everywhere`: dry runs and verifications at each level must see the damage as well.
 */
export async function requireRefused(
  workshop: Workshop,
  subject: AttackedBackup,
  codes: readonly string[],
  { everywhere = false }: { readonly everywhere?: boolean } = {},
): Promise<void> {
  const { handlers } = workshop
  const { mtimeMs } = await stat(subject.destination)
  const error = await failureOf(handlers.restore.run(subject.restore))
  requireCode(error, codes)
  // with a bad manifest there is nothing to settle
  const isManifest = codes.every((code) => code.startsWith('MANIFEST'))
  if (everywhere || !isManifest) {
    const end = await handlers.restore.settle(subject.restore, toFailure(error))
    assert.equal(end.state, 'failed')
  }
  assert.deepEqual(await stillLife(subject.destination), subject.untouched)
  if (isManifest) assert.equal((await stat(subject.destination)).mtimeMs, mtimeMs)
  if (!everywhere) return
  requireCode(await failureOf(handlers.restore.run(subject.dryRun)), codes)
  requireCode(await failureOf(handlers.verify.run(subject.verify)), codes)
  assert.deepEqual(await stillLife(subject.destination), subject.untouched)
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => assert.fail('damage was not seen'),
    (error: unknown) => error,
  )
}

function requireCode(error: unknown, codes: readonly string[]): void {
  assert.ok(error instanceof AppError, `not foreseen: ${error instanceof Error ? error.stack : error}`)
  assert.ok(codes.includes(error.code), `${error.code}, expected ${codes.join(' or ')}: ${error.message}`)
}

/** Takes a backup of the target `shop`, and begins restores of it over something else. */
export async function makeAttackedBackup(workshop: Workshop, plan: AttackPlan): Promise<AttackedBackup> {
  const { directory, deps, begin } = workshop
  const { kind, body, hasFiles, level } = plan
  const uploads = join(directory, 'shop', 'uploads')
  const { id, folder } = await makeBackup(workshop, { ...body, ...(hasFiles ? { include: [uploads] } : {}) })
  const manifest = await loadManifest(deps, id, new AbortController().signal)
  const destination = join(directory, `to-${kind}`)
  await fillDirectory(destination, `old-${kind}`, 11)
  const restoreInto = (file: string, dryRun: boolean) => {
    const url = sqliteUrl(join(destination, file))
    const filesInto = hasFiles ? { filesInto: destination } : {}
    const asked = { into: { url }, dryRun, overwrite: true, confirm: url, ...filesInto }
    return begin(acceptRestore(deps, id, asked, CALLER))
  }
  const restore = await restoreInto('app.db', false)
  const dryRun = await restoreInto('not-there.db', true)
  const verify = await begin(acceptVerify(deps, id, { level }, CALLER))
  const untouched = await stillLife(destination)
  return { id, folder, manifest, destination, untouched, restore, dryRun, verify }
}

/** Takes a backup of the target `shop`. */
export async function makeBackup(workshop: Workshop, body: Omit<BackupBody, 'target'>) {
  const { deps, carryOut, storageRoot } = workshop
  const operation = await carryOut(acceptBackup(deps, { target: 'shop', ...body }, CALLER))
  assert.equal(operation.state, 'completed', JSON.stringify(operation.error))
  assert.ok(operation.backupId)
  const folder = join(storageRoot, 'shop', operation.backupId)
  const { artifacts } = await loadManifest(deps, operation.backupId, new AbortController().signal)
  return { id: operation.backupId, folder, data: artifacts[0]?.name }
}

/** A database that does not compress to nothing, and a directory of files beside it. */
export async function fillDirectory(directory: string, version: string, records: number): Promise<void> {
  await mkdir(join(directory, 'uploads', 'two'), { recursive: true })
  await writeFile(join(directory, 'uploads', 'a.txt'), version.repeat(50))
  await writeFile(join(directory, 'uploads', 'two', 'b.bin'), randomBytes(3000))
  const database = new DatabaseSync(join(directory, 'app.db'))
  database.exec(
    'PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, photo BLOB)',
  )
  const insert = database.prepare('INSERT INTO orders (item, photo) VALUES (?, ?)')
  for (let index = 0; index < records; index += 1) insert.run(`${version} ${index}`, randomBytes(2000))
  database.close()
}

/** Where a part of it is stored. */
export function pathOf({ folder, manifest }: AttackedBackup, part: 'data' | 'files' | 'manifest'): string {
  if (part === 'manifest') return join(folder, 'manifest.json')
  const artifact = manifest.artifacts.find(({ role }) => role === part)
  assert.ok(artifact, `no ${part}`)
  return join(folder, artifact.name)
}
