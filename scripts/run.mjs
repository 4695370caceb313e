// node scripts/run.mjs FILE [ARGUMENTS]: prepares this checkout as far as FILE needs it, then runs FILE on the right
// Node.js with this terminal, passes signals on, and ends as it ends. Runs on any Node.js from 18 up.
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { runToEnd } from './setup/foreground.mjs'
import { extendPath, ROOT } from './setup/paths.mjs'
import { FOR_SERVICE, FOR_TESTS, prepare } from './setup/prepare.mjs'

/** @typedef {import('./setup/programs.mjs').ProgramName} ProgramName */

/** @type {Readonly<Record<string, readonly ProgramName[]>>} */
const NEEDED_BY = {
  'scripts/start.ts': FOR_SERVICE,
  'scripts/quickstart.ts': FOR_SERVICE,
  'scripts/test.ts': FOR_TESTS,
  'bench/main.ts': ['redis', 'zstd'],
}
/** What `npm run` sets for its own script and our programs have no use for. */
const NPM_NOISE = /^(npm_|INIT_CWD$|NODE$|COLOR$)/

const [file, ...args] = process.argv.slice(2)
if (file === undefined || !existsSync(resolve(ROOT, file))) {
  process.stderr.write(
    `usage: node scripts/run.mjs FILE [ARGUMENTS]\n${file ? `no such file: ${file}\n` : ''}`,
  )
  process.exit(2)
}

const { node } = await prepare(programsFor(relative(ROOT, resolve(ROOT, file))))
const own = Object.entries(process.env).filter(([name]) => !NPM_NOISE.test(name))
// Node keeps what it made of each module, types stripped, so that the next start takes half the time
const compileCache = { NODE_COMPILE_CACHE: join(ROOT, '.tools', 'compile-cache') }
// services idle or stream: a small nursery costs them nothing and saves 40 MB a process
const nodeOptions = { NODE_OPTIONS: `--max-semi-space-size=1 ${process.env.NODE_OPTIONS ?? ''}`.trim() }
await runToEnd(node, [resolve(ROOT, file), ...args], {
  env: {
    ...compileCache,
    ...Object.fromEntries(own),
    ...nodeOptions,
    PATH: extendPath(process.env.PATH, dirname(node)),
  },
  // npm hands signals on, but not its own death
  endsWithParent: process.env.npm_lifecycle_event !== undefined,
})

/** @param {string} entry */
function programsFor(entry) {
  const needed = NEEDED_BY[entry] ?? []
  const hasOwnRedis = Boolean(process.env.HOLDFAST_REDIS_URL || process.env.HOLDFAST_REDIS_URL_FILE)
  return needed === FOR_SERVICE && hasOwnRedis ? [] : needed
}
