// npm run build -w @holdfast/client: makes dist/, a package of its own that plain Node.js from 20.3 up can use.
// Runs on any Node.js; `npm pack ./packages/client/dist` makes the tarball. An argument names another directory.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HOME = dirname(dirname(fileURLToPath(import.meta.url)))
const DIST = process.argv[2] ?? join(HOME, 'dist')
const COMPILER = createRequire(import.meta.url).resolve('typescript/package.json')

rmSync(DIST, { recursive: true, force: true })
mkdirSync(DIST, { recursive: true })
execFileSync(
  process.execPath,
  [
    join(dirname(COMPILER), 'bin', 'tsc'),
    ...['--project', join(HOME, 'tsconfig.build.json'), '--outDir', join(DIST, 'lib')],
  ],
  { stdio: 'inherit' },
)
for (const name of ['schemas', 'README.md']) cpSync(join(HOME, name), join(DIST, name), { recursive: true })
cpSync(join(HOME, '..', '..', 'LICENSE'), join(DIST, 'LICENSE'))

const { name, version, description, license, type, dependencies } = JSON.parse(
  readFileSync(join(HOME, 'package.json'), 'utf8'),
)
// the sources are private and lead to TypeScript; what is published leads to what was compiled
const published = {
  ...{ name, version, description, license, type, dependencies },
  engines: { node: '>=20.3' },
  exports: {
    '.': { types: './lib/index.d.ts', default: './lib/index.js' },
    './schemas/*.json': './schemas/*.json',
  },
}
writeFileSync(join(DIST, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
