// A process that works through a driver until it is killed: run by the crash tests, never imported.
import type { DriverFactory } from '@holdfast/core'
import type { RunnerTask } from './crash-contract.ts'

process.once('disconnect', () => process.exit(0))
process.once('message', (task: RunnerTask) => void run(task))

async function run({ module, url, context, action, ticket }: RunnerTask): Promise<void> {
  const factory: DriverFactory = (await import(module.url))[module.name]()
  const driver = factory.create(url, { ...context, now: () => Date.now() })
  await driver.inspectDestination(new AbortController().signal)
  process.send?.('begun')
  await driver[action](ticket, async () => {}, new AbortController().signal)
  process.send?.('done')
}
