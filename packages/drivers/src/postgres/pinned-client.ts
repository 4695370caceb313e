import type { ClientConfig } from 'pg'
import { Client } from 'pg'

/** A client whose first message is exactly what we say: no variable of our environment adds to it. */
export class PinnedClient extends Client {
  readonly #startup: Readonly<Record<string, string>>

  constructor(config: ClientConfig, startup: Readonly<Record<string, string>>) {
    super(config)
    this.#startup = startup
  }

  /** Called by the library when the connection stands. */
  getStartupConf(): Record<string, string> {
    return { ...this.#startup }
  }
}
