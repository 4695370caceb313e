import type { DriverFactory, DriverRegistry } from '@holdfast/core'
import { AppError } from '@holdfast/core'

/** Finds the engine for a URL or a name. Throws UNSUPPORTED_ENGINE; a URL is never repeated in an error. */
export class EngineRegistry implements DriverRegistry {
  readonly #factories: readonly DriverFactory[]

  constructor(factories: readonly DriverFactory[]) {
    this.#factories = factories
  }

  forUrl(url: string): DriverFactory {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase()
    if (scheme === undefined) {
      throw new AppError('INVALID_CONNECTION', 'the URL has no scheme', { hint: this.#knownSchemes() })
    }
    const factory = this.#factories.find(({ schemes }) => schemes.includes(scheme))
    if (factory !== undefined) return factory
    throw new AppError('UNSUPPORTED_ENGINE', 'no engine is known for the scheme of the URL', {
      hint: this.#knownSchemes(),
    })
  }

  byEngine(engine: string): DriverFactory {
    const factory = this.#factories.find((candidate) => candidate.engine === engine)
    if (factory !== undefined) return factory
    throw new AppError('UNSUPPORTED_ENGINE', `no engine is called ${engine.slice(0, 64)}`, {
      hint: `known engines: ${this.#factories.map((known) => known.engine).join(', ')}`,
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#factories.map((factory) => factory.close()))
  }

  #knownSchemes(): string {
    const schemes = this.#factories.flatMap((factory) => factory.schemes)
    return `known URLs begin with ${schemes.map((scheme) => `${scheme}://`).join(', ')}`
  }
}
