// holdfast: the command line of a Holdfast service. The only file that touches the process it runs in.
import { runCli } from './cli.ts'

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // the second one of a kind finds no listener any more, and ends the process
  process.once(signal, () => interruption.abort())
}
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // whoever read what we print has seen enough
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
}

process.exitCode = await runCli({
  args: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  now: Date.now,
  interrupted: interruption.signal,
})
