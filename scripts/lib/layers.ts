import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Import } from './imports.ts'
import { importsOf } from './imports.ts'

const SCOPE = '@holdfast/'
const ADAPTERS = ['catalog', 'drivers', 'queue', 'storage']
/** All that core may need besides Node.js: the schema library, and the format of included directories. */
const CORE_LIBRARIES = ['typebox', 'tar-stream']
/** Folders beside the engines that hold what several of them share, and import none of them. */
const SHARED_BY_ENGINES = ['client-server', 'tool']
/** The files of an app that put it together: its parts list and its start. */
const COMPOSERS = ['src/compose.ts', 'src/main.ts']
/** Tests, `testing` folders, and all of packages/testing. */
const IS_FOR_TESTS = /\.test\.ts$|\/testing(\/|$)/
const SOURCES = ['packages', 'apps', 'tests', 'bench', 'scripts'].map((directory) => `${directory}/**/*.ts`)
const NO_SOURCES = ['**/node_modules/**', '**/dist/**']

/** Where a file stands in the architecture. */
interface Place {
  readonly path: string
  readonly kind: 'package' | 'app' | 'other'
  /** Of a package or an app. */
  readonly name: string
  /** Inside its directory. */
  readonly inner: string
  readonly isTest: boolean
}

/** A rule says what is wrong with an import, or null. */
type Rule = (from: Place, what: Import) => string | null

/** Every import that breaks the architecture, one line each, with the rule it breaks. */
export function findLayerViolations(root: string): readonly string[] {
  const rules: readonly Rule[] = [...LAYER_RULES, declarationRule(root)]
  const violations = SOURCES.flatMap((pattern) => globSync(pattern, { cwd: root, exclude: NO_SOURCES }))
    .sort()
    .flatMap((path) => {
      const from = placeOf(path)
      return importsOf(root, path).flatMap((what) =>
        rules
          .map((rule) => rule(from, what))
          .filter((why) => why !== null)
          .map((why) => `${path} imports ${what.specifier}: ${why}`),
      )
    })
  return [...new Set(violations)]
}

function placeOf(path: string): Place {
  const [, group, name = '', inner = path] = /^(packages|apps)\/([^/]+)\/(.*)$/.exec(path) ?? []
  const kind = group === 'packages' ? 'package' : group === 'apps' ? 'app' : 'other'
  const isTest = kind === 'other' || !inner.startsWith('src/') || IS_FOR_TESTS.test(path)
  return { path, kind, name, inner, isTest }
}

/** The workspace that an import by name leads to: `catalog` for `@holdfast/catalog`. */
function workspaceOf({ packageName }: Import): string | null {
  return packageName?.startsWith(SCOPE) ? packageName.slice(SCOPE.length) : null
}

const LAYER_RULES: readonly Rule[] = [
  function staysInItsWorkspace(from, { file }) {
    if (file === null || from.kind === 'other') return null
    const home = from.path.slice(0, -from.inner.length)
    return file.startsWith(home) ? null : 'other workspaces are imported by name'
  },

  function coreStandsAlone(from, { packageName }) {
    if (from.kind !== 'package' || from.name !== 'core' || from.isTest || packageName === null) return null
    const isAllowed = packageName.startsWith('node:') || CORE_LIBRARIES.includes(packageName)
    return isAllowed ? null : `core imports node:* and ${CORE_LIBRARIES.join(', ')} only`
  },

  function packagesPointToCore(from, what) {
    const workspace = workspaceOf(what)
    const isFree = from.kind !== 'package' || (from.isTest && from.name !== 'testing')
    if (isFree || from.name === 'core' || workspace === null || workspace === 'core') return null
    return ADAPTERS.includes(from.name)
      ? 'adapters import core only, never each other'
      : `packages/${from.name} may import core only`
  },

  function clientTakesTypesOnly(from, what) {
    if (from.kind !== 'package' || from.name !== 'client' || from.isTest) return null
    return workspaceOf(what) === 'core' && !what.isTypeOnly
      ? 'the client is published without core, so it may import its types only'
      : null
  },

  function appsSeeCore(from, what) {
    const workspace = workspaceOf(what)
    if (from.kind !== 'app' || from.isTest || workspace === null) return null
    if (workspace === 'core' || (workspace === 'client' && from.name === 'cli')) return null
    if (!ADAPTERS.includes(workspace)) return `an app does not import ${workspace}`
    return COMPOSERS.includes(from.inner) ? null : 'only compose.ts and main.ts of an app know adapters'
  },

  function enginesAreSeparate(from, { file }) {
    if (from.kind !== 'package' || from.name !== 'drivers' || file === null) return null
    const own = engineOf(from.path)
    const other = engineOf(file)
    if (own === null || other === null || own === other || SHARED_BY_ENGINES.includes(other)) return null
    return 'an engine does not import another engine'
  },

  function productionIsNoTest(from, { file, specifier }) {
    if (from.isTest) return null
    return IS_FOR_TESTS.test(file ?? specifier) ? 'only tests import what is for tests' : null
  },
]

function engineOf(path: string): string | null {
  return /^packages\/drivers\/src\/([^/]+)\//.exec(path)?.[1] ?? null
}

/** Hoisting makes an import work that nobody declared, until the day on which it does not. */
function declarationRule(root: string): Rule {
  const ofRoot = declared(root, '.')
  const known = new Map<string, { own: ReadonlySet<string>; forTests: ReadonlySet<string> }>()
  return function isDeclared(from, { packageName }) {
    if (packageName === null || packageName.startsWith('node:')) return null
    const home = from.kind === 'other' ? '.' : from.path.slice(0, -from.inner.length - '/'.length)
    const { own, forTests } = known.get(home) ?? declared(root, home)
    known.set(home, { own, forTests })
    if (own.has(packageName)) return null
    const isForTests = forTests.has(packageName) || ofRoot.forTests.has(packageName)
    return from.isTest && isForTests ? null : `${join(home, 'package.json')} does not declare it`
  }
}

function declared(root: string, home: string): { own: ReadonlySet<string>; forTests: ReadonlySet<string> } {
  const manifest: unknown = JSON.parse(readFileSync(join(root, home, 'package.json'), 'utf8'))
  const namesIn = (field: string): string[] => {
    const value: unknown =
      typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, field) : null
    return typeof value === 'object' && value !== null ? Object.keys(value) : []
  }
  return { own: new Set(namesIn('dependencies')), forTests: new Set(namesIn('devDependencies')) }
}
