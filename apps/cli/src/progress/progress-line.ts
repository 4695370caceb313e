import type { Operation } from '@holdfast/client'
import type { OutputStream } from '../host.ts'
import { printable } from '../text/printable.ts'
import { bytesText, durationText } from '../text/units.ts'

const BAR_WIDTH = 24
const REPAINT_MS = 250
const DEFAULT_COLUMNS = 80
const CLEAR_LINE = '\r\u001b[K'

/** What a progress display shows: a title, how far, and a word on what is being done. */
export interface Step {
  readonly title: string
  readonly phase: string | null
  readonly bytes: number
  readonly totalBytes: number | null
  readonly percent: number | null
}

/** Somewhere to show progress. Nothing of it is left on a terminal once it is ended. */
export interface ProgressDisplay {
  show(step: Step): void
  /** Makes room for something else to be written; the display comes back by itself. */
  clear(): void
  end(): void
}

/** One line, drawn over again, on a terminal; otherwise a line each time that something else is being done. */
export function createProgressDisplay(
  stream: OutputStream,
  isDumb: boolean,
  now: () => number,
): ProgressDisplay {
  return stream.isTTY && !isDumb ? drawnLine(stream, now) : plainLines(stream)
}

/** Shows nothing. */
export const NO_PROGRESS: ProgressDisplay = {
  show: () => undefined,
  clear: () => undefined,
  end: () => undefined,
}

/** The progress of an operation as a step. */
export function stepOf(operation: Operation): Step {
  const { percent, bytes, totalBytes } = operation.progress
  return {
    title: operation.target === null ? operation.type : `${operation.type} ${operation.target}`,
    phase: phaseText(operation),
    bytes,
    totalBytes: totalBytes ?? null,
    percent: percent ?? null,
  }
}

function phaseText({ state, phase, progress }: Operation): string {
  const { objects, totalObjects } = progress
  // a group waits for its members most of the time: that is how it runs
  if (phase === 'members' && totalObjects !== undefined) return `${objects ?? 0} of ${totalObjects} databases`
  if (state === 'running') return phase ?? 'running'
  return state === 'waiting' ? 'waiting for another operation on this database' : state
}

function drawnLine(stream: OutputStream, now: () => number): ProgressDisplay {
  const startedAt = now()
  let step: Step | null = null
  // a pseudo-terminal may not know its width and say 0
  const draw = (): void => {
    if (step === null) return
    const line = lineOf(step, now() - startedAt)
    stream.write(`${CLEAR_LINE}${line.slice(0, (stream.columns || DEFAULT_COLUMNS) - 1)}`)
  }
  // the time that has passed moves on although nothing else does
  const timer = setInterval(draw, REPAINT_MS)
  timer.unref()
  return {
    show(next) {
      step = next
      draw()
    },
    clear() {
      if (step !== null) stream.write(CLEAR_LINE)
    },
    end() {
      clearInterval(timer)
      if (step !== null) stream.write(CLEAR_LINE)
      step = null
    },
  }
}

function lineOf(step: Step, elapsedMs: number): string {
  const { title, phase, bytes, totalBytes } = step
  const percent = step.percent ?? (totalBytes ? Math.floor((bytes / totalBytes) * 100) : null)
  const parts = [
    title,
    percent === null ? null : `${barOf(percent)} ${String(percent).padStart(3)}%`,
    bytes === 0
      ? null
      : totalBytes === null
        ? bytesText(bytes)
        : `${bytesText(bytes)} of ${bytesText(totalBytes)}`,
    phase,
    elapsedText(elapsedMs),
  ]
  return printable(parts.filter((part) => part !== null).join('  '))
}

/** Whole seconds: tenths would only flicker. */
function elapsedText(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1_000)} s` : durationText(ms)
}

function barOf(percent: number): string {
  const filled = Math.round((Math.min(Math.max(percent, 0), 100) / 100) * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`
}

function plainLines(stream: OutputStream): ProgressDisplay {
  let last = ''
  return {
    show({ title, phase }) {
      const line = printable(`${title}: ${phase ?? 'running'}`)
      if (line !== last) stream.write(`${line}\n`)
      last = line
    },
    clear: () => undefined,
    end: () => undefined,
  }
}
