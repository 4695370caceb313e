import { setTimeout as sleep } from 'node:timers/promises'
import type { System } from './system.ts'

const SEEN_WITHIN_MS = 30_000

/** Registers a target and requires that it is accepted. */
export async function addTarget(
  system: System,
  name: string,
  url: string,
  options: object = {},
): Promise<void> {
  const { status, body } = await system.call('POST', '/v1/targets', { name, url, options })
  if (status !== 201) throw new Error(`target ${name} not added: ${status} ${JSON.stringify(body)}`)
}

/** Asks for work, which must be accepted. Returns the id of its operation. */
export async function ask(system: System, path: string, body?: object): Promise<string> {
  const { status, body: accepted } = await system.call('POST', path, body)
  if (status !== 202) throw new Error(`${path} not accepted: ${status} ${JSON.stringify(accepted)}`)
  return accepted.id
}

/** Waits until an operation is finished and returns it. Asks seldom: there may be many. */
export async function outcomeOf(system: System, operationId: string, timeoutMs = 60_000) {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { body } = await system.call('GET', `/v1/operations/${operationId}?wait=10`)
    if (['completed', 'failed', 'cancelled'].includes(body.state)) return body
    if (performance.now() > deadline)
      throw new Error(`operation still ${body.state} (${body.phase}): ${system.output().slice(-4000)}`)
  }
}

/** Runs one operation to its end and returns it. */
export async function carryOut(system: System, path: string, body?: object) {
  return outcomeOf(system, await ask(system, path, body))
}

/** Waits until an operation has reached a phase, and in it so many bytes. */
export async function untilPhase(
  system: System,
  operationId: string,
  phase: string,
  bytes = 0,
): Promise<void> {
  const deadline = performance.now() + SEEN_WITHIN_MS
  for (;;) {
    const { body } = await system.call('GET', `/v1/operations/${operationId}`)
    if (body.phase === phase && body.progress.bytes >= bytes) return
    const isOver = ['completed', 'failed', 'cancelled'].includes(body.state)
    if (isOver || performance.now() > deadline)
      throw new Error(`${phase} was not seen: ${JSON.stringify(body)}`)
    await sleep(20)
  }
}
