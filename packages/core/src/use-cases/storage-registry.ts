import { AppError } from '../errors.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Storage } from '../ports/storage.ts'
import type { StorageRegistry } from '../ports/work.ts'

export interface StorageRegistryDeps {
  readonly catalog: Pick<Catalog, 'knowStorage' | 'knownStorage'>
  /** By name: how each storage is opened; `create` is true on its first use only. */
  readonly storages: Readonly<Record<string, (options: { readonly create: boolean }) => Promise<Storage>>>
}

/**
 * Opens each storage when it is first needed, and again if that failed. A storage that the catalog knows already is
 * never made anew: an empty place is then a disk that is not mounted.
 */
export function createStorageRegistry(deps: StorageRegistryDeps): StorageRegistry {
  const opened = new Map<string, Promise<Storage>>()
  const byName = (name: string): Promise<Storage> => {
    const known = opened.get(name)
    if (known !== undefined) return known
    const opening = openOnce(deps, name)
    opened.set(name, opening)
    opening.catch(() => opened.delete(name))
    return opening
  }
  return {
    names: Object.keys(deps.storages),
    byName,
    list: () => Promise.all(Object.keys(deps.storages).map(byName)),
  }
}

async function openOnce({ catalog, storages }: StorageRegistryDeps, name: string): Promise<Storage> {
  const open = Object.hasOwn(storages, name) ? storages[name] : undefined
  if (!open) {
    throw new AppError('STORAGE_UNAVAILABLE', `no storage is called ${name}`, {
      hint: 'the storage of HOLDFAST_STORAGE_URL is called default',
      retryable: false,
    })
  }
  const storage = await open({ create: (await catalog.knownStorage(name)) === null })
  await catalog.knowStorage(name, await storage.id())
  return storage
}
