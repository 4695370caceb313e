import type { Storage } from '@holdfast/core'

/** What a kind of storage must bring to be tested. */
export interface StorageSubject {
  /** Opens the place of this test, empty at its first use. Called again it opens the same place once more. */
  open(): Promise<Storage>
  /** Removes the place of this test. */
  cleanUp(): Promise<void>
}
