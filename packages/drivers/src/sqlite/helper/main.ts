import { flushCompileCache, getCompileCacheDir } from 'node:module'
import type { FromHelper, HelperJobs, JobName, ToHelper } from '../protocol.ts'
import { check } from './check.ts'
import { inspectDestination } from './destination.ts'
import { dump } from './dump.ts'
import { HelperFailure } from './failure.ts'
import { inspect } from './inspect.ts'
import type { JobLink } from './link.ts'
import { createLink, Refused } from './link.ts'
import { swap } from './swap.ts'
import { tidy } from './tidy.ts'
import { undo } from './undo.ts'

/** Where no signal tells a child that its parent is gone, this does. */
const PARENT_WATCH_MS = 1000

type Handlers = {
  readonly [Name in JobName]: (
    input: HelperJobs[Name]['input'],
    link: JobLink,
  ) => HelperJobs[Name]['output'] | Promise<HelperJobs[Name]['output']>
}

let mustRetire = false
let isCacheWritten = false

const handlers: Handlers = {
  inspect,
  dump,
  check,
  destination: inspectDestination,
  swap,
  undo,
  tidy(input, link) {
    mustRetire = tidy(input, link)
    return null
  },
}

let answer: (given: 'confirmed' | 'refused') => void = () => {}

function send(message: FromHelper): void {
  process.send?.(message)
}

async function work(name: JobName, input: unknown): Promise<void> {
  const link = createLink(
    send,
    () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  )
  try {
    // the driver of this very release made the input: the pair of name and input is checked where it is sent
    const handler = handlers[name] as (input: unknown, link: JobLink) => unknown
    send({ type: 'done', output: await handler(input, link), retire: mustRetire })
  } catch (error) {
    send(toMessage(error))
  }
  // written at the end of a process otherwise, and this one is killed
  if (getCompileCacheDir() !== undefined && !isCacheWritten) flushCompileCache()
  isCacheWritten = true
}

function toMessage(error: unknown): FromHelper {
  if (error instanceof HelperFailure) {
    const { code, message, hint } = error
    return { type: 'failed', failure: { code, message, hint } }
  }
  // the driver throws its caller's own error
  if (error instanceof Refused) return { type: 'done', output: null, retire: false }
  return { type: 'broken', text: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

function watchParent(): void {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.exit(0)
  }, PARENT_WATCH_MS).unref()
}

// a signal to the whole group is for the driver to act on: it ends this process when its work is over
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.exit(0))
process.on('message', (message: ToHelper) => {
  if (message.type === 'job') void work(message.name, message.input)
  else answer(message.type)
})
watchParent()
