// npm run build: what is published. The service itself runs from its sources and needs no build.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'

const ROOT = dirname(import.meta.dirname)
const TURBO = join(ROOT, 'node_modules', 'turbo', 'bin', 'turbo')

const child = spawn(process.execPath, [TURBO, 'run', 'build', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => {
  process.exitCode = code ?? 1
})
