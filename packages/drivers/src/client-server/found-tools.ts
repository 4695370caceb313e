/** How the clients of one engine are found and chosen. */
export interface ToolSearch<Server, Tools> {
  /** All that are installed. */
  find(): Promise<readonly Tools[]>
  /** The one for a server. Throws if none fits. */
  choose(found: readonly Tools[], server: Server): Tools
  /** False for one that was found and is gone. */
  isThere(tools: Tools): Promise<boolean>
}

/** The clients of this machine: looked for once, and again when none that fits is there. */
export class FoundTools<Server, Tools> {
  readonly #search: ToolSearch<Server, Tools>
  #found: Promise<readonly Tools[]> | null = null

  constructor(search: ToolSearch<Server, Tools>) {
    this.#search = search
  }

  /** The client for a server. Rejects like the search's `choose`. */
  async toolsFor(server: Server): Promise<Tools> {
    this.#found ??= this.#search.find()
    const known = await this.#choose(this.#found, server)
    if (known !== null) return known
    // it may have been installed, replaced or removed since
    this.#found = this.#search.find()
    return this.#search.choose(await this.#found, server)
  }

  async #choose(found: Promise<readonly Tools[]>, server: Server): Promise<Tools | null> {
    try {
      const tools = this.#search.choose(await found, server)
      return (await this.#search.isThere(tools)) ? tools : null
    } catch {
      return null
    }
  }
}
