/** How a storage is opened. */
export interface OpenOptions {
  /** Name by which backups refer to it. */
  readonly name: string
  /**
   * Whether this is its first use: only then is an empty place made a storage. Later a place without its marker is
   * one that is not mounted, or not ours.
   */
  readonly create: boolean
}
