import { constants } from 'node:os'

/** @typedef {'SIGINT' | 'SIGTERM' | 'SIGHUP'} StopSignal */

/** @type {readonly StopSignal[]} */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Thrown out of set-up after a signal, so that every `finally` on the way has run. */
export class Interrupted extends Error {
  /** @param {StopSignal} signal */
  constructor(signal) {
    super(`interrupted by ${signal}`)
    this.signal = signal
  }

  /** What a shell expects of a process that a signal ended. */
  get exitCode() {
    return 128 + (constants.signals[this.signal] ?? 0)
  }
}

/** @type {StopSignal | null} */
let pending = null
let protectedDepth = 0
/** @type {Set<(signal: StopSignal) => void>} */
const listeners = new Set()

/**
 * From now on a signal ends what set-up is doing, and not the process in the middle of it. Returns the undoing.
 *
 * @returns {() => void}
 */
export function watchInterrupts() {
  /** @param {StopSignal} signal */
  const receive = (signal) => {
    pending ??= signal
    if (protectedDepth > 0) {
      process.stderr.write(`${signal}: ending as soon as the system's installer has finished\n`)
      return
    }
    if (listeners.size === 0) process.exit(new Interrupted(signal).exitCode)
    for (const listener of listeners) listener(signal)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, receive)
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, receive)
  }
}

/**
 * Tells `listener` of a signal while something runs that must be ended by hand. Returns the undoing.
 *
 * @param {(signal: StopSignal) => void} listener
 * @returns {() => void}
 */
export function onInterrupt(listener) {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Throws if a signal has come, unless what runs must not be left half done. */
export function throwIfInterrupted() {
  if (pending !== null && protectedDepth === 0) throw new Interrupted(pending)
}

/**
 * Runs `work` to its end whatever signal comes: a package manager stopped half-way leaves a broken system.
 *
 * @template Result
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function uninterrupted(work) {
  protectedDepth += 1
  try {
    return await work()
  } finally {
    protectedDepth -= 1
  }
}

export function isProtected() {
  return protectedDepth > 0
}
