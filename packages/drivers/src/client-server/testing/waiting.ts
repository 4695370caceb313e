import type { Server } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@holdfast/core'

/** Code and message of the failure with which a promise must reject. */
export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof AppError) return `${error.code}: ${error.message}`
    throw error
  }
  throw new Error('it did not reject')
}

/** Waits until it is so; rejects after five seconds. */
export async function waitUntil(isSo: () => Promise<boolean>): Promise<void> {
  for (let left = 100; left > 0; left -= 1) {
    if (await isSo()) return
    await sleep(50)
  }
  throw new Error('it did not come to pass within 5 seconds')
}

/** Something that listens on a port, counts who comes and never answers. */
export interface SilentListener {
  readonly port: number
  connections(): number
  close(): Promise<void>
}

/** Starts one on a free port of the loopback. */
export async function listenSilently(): Promise<SilentListener> {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    // read, so that the end is noticed
    socket.on('error', () => {}).resume()
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(portOf(server)))
  })
  return {
    port,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
  return address.port
}
