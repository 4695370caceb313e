import type { AppError } from '@holdfast/core'

/** Runs `work`, aborting its signal with `tooSlow` once the time has passed, and then rejects with it at once. */
export async function withinTime<Result>(
  timeMs: number,
  tooSlow: AppError,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      controller.abort(tooSlow)
      reject(tooSlow)
    }, timeMs)
  })
  try {
    return await Promise.race([work(controller.signal), passed])
  } finally {
    clearTimeout(timer)
  }
}
