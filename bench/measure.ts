import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const RUNS = 3

/** The value below which this share (0 to 1) of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** The middle sample. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5)
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Each way in each round, after one uncounted round that warms the caches for all of them. */
export async function inTurn(
  ways: Readonly<Record<string, () => unknown>>,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const figures: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
  for (let run = -1; run < RUNS; run += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const tookMs = await timed(way)
      if (run >= 0) figures[name]?.push(tookMs)
    }
  }
  return figures
}

/** Starts peak memory of a process anew (Linux). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Peak resident memory of a process in MiB since the last reset (Linux). */
export function peakMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024
}

/** Processes whose parent is this one, with their children (Linux). Those that end meanwhile are left out. */
export function descendants(pid: number): readonly number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`)
    const lists = tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim())
    const children = lists.filter((list) => list !== '').flatMap((list) => list.split(' ').map(Number))
    return [...children, ...children.flatMap(descendants)]
  } catch {
    // it ended between being listed and being read
    return []
  }
}

/** One row of the report: name, figures, the ratio to the first row. */
export function report(title: string, rows: Readonly<Record<string, readonly number[]>>, unit: string): void {
  console.log(`\n${title}`)
  const [first] = Object.values(rows)
  for (const [name, samples] of Object.entries(rows)) {
    const ratios = samples.map((sample, index) => (first?.[index] ?? Number.NaN) / sample)
    const range = `${Math.min(...samples).toFixed(1)} – ${Math.max(...samples).toFixed(1)}`
    const ratio = samples === first ? '' : `   first row / this: ${median(ratios).toFixed(2)}`
    console.log(
      `  ${name.padEnd(34)} median ${median(samples).toFixed(1).padStart(9)} ${unit}   (${range})${ratio}`,
    )
  }
}
