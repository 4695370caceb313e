import { readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { parseSync } from 'oxc-parser'

/** One import, or export from elsewhere, of a source file. */
export interface Import {
  /** As it is written. */
  readonly specifier: string
  /** Of a relative import: the file it names, from the root of the tree. */
  readonly file: string | null
  /** Of an import by name: the package, without what follows inside it. */
  readonly packageName: string | null
  /** Whether it vanishes when the types are stripped. */
  readonly isTypeOnly: boolean
}

/** The imports of one file. Throws if it cannot be parsed: what cannot be read cannot be checked. */
export function importsOf(root: string, path: string): readonly Import[] {
  const source = readFileSync(join(root, path), 'utf8')
  const { module, errors } = parseSync(path, source)
  const [error] = errors
  if (error !== undefined) throw new SyntaxError(`${path}: ${error.message}`)

  const found: Import[] = []
  for (const { moduleRequest, entries } of module.staticImports) {
    const isTypeOnly = entries.length > 0 && entries.every((entry) => entry.isType)
    found.push(describe(path, moduleRequest.value, isTypeOnly))
  }
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, isType } of entries) {
      if (moduleRequest !== null) found.push(describe(path, moduleRequest.value, isType))
    }
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^(['"`])([^'"`$]+)\1$/.exec(source.slice(moduleRequest.start, moduleRequest.end))
    if (literal?.[2] !== undefined) found.push(describe(path, literal[2], false))
  }
  return found
}

function describe(path: string, specifier: string, isTypeOnly: boolean): Import {
  const isRelative = specifier.startsWith('.')
  return {
    specifier,
    isTypeOnly,
    file: isRelative ? posix.join(dirname(path), specifier) : null,
    packageName: isRelative ? null : packageOf(specifier),
  }
}

/** `node:fs` for `node:fs`, `@scope/name` for `@scope/name/part`. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  const parts = specifier.split('/')
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}
