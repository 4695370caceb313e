// A worker that kills itself at the moment named by HOLDFAST_TEST_DIE_AT, the hard way: nothing is cleaned up. With
// SIGSTOP as HOLDFAST_TEST_SIGNAL it freezes instead, once, and goes on where it stood when it is woken. A moment may
// end in a time that is to pass after it, such as `swap-confirmed.5ms`.
import { loadConfiguration } from '@holdfast/core'
import { compose } from '@holdfast/worker-app'
import type { Fate } from './mortal-parts.ts'
import { mortalParts } from './mortal-parts.ts'

const { HOLDFAST_TEST_DIE_AT: moment = '', HOLDFAST_TEST_SIGNAL } = process.env
const signal = HOLDFAST_TEST_SIGNAL === 'SIGSTOP' ? 'SIGSTOP' : 'SIGKILL'
const [, wanted = moment, delayMs] = /^(.*)\.(\d+)ms$/.exec(moment) ?? []
let isOver = false

/** Long enough for the catalog's thread to end the write that it is in: frozen there, it would lock out everybody. */
const WRITE_MS = 100

function die(): void {
  if (signal === 'SIGSTOP') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WRITE_MS)
  process.kill(process.pid, signal)
}

const fate: Fate = {
  reach(reached) {
    if (reached !== wanted || isOver) return
    isOver = true
    if (delayMs === undefined) die()
    else setTimeout(die, Number(delayMs))
  },
  begin: () => () => {},
}

const quiet = { debug() {}, info() {}, warn() {}, error: console.error }
await compose(loadConfiguration(process.env, process.cwd()), quiet, (deps) => mortalParts(deps, fate))
