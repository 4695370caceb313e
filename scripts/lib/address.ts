import { once } from 'node:events'
import { createServer } from 'node:net'
import { AppError } from '@holdfast/core'

/**
 * The port to listen on: the wanted one if it is free, any free one if 0 is wanted. Rejects with INVALID_CONFIGURATION
 * if it is taken or the host is not one of this machine, before anything is started that would only find out later.
 */
export async function claimPort(host: string, wanted: number): Promise<number> {
  const server = createServer()
  try {
    server.listen(wanted, host)
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server without a port')
    return address.port
  } catch (error) {
    throw new AppError('INVALID_CONFIGURATION', `cannot listen on ${host}:${wanted}: ${reason(error)}`, {
      hint: 'choose another address with HOLDFAST_HOST and HOLDFAST_PORT (0: any free port)',
      cause: error,
    })
  } finally {
    if (server.listening) {
      server.close()
      await once(server, 'close')
    }
  }
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return 'another program listens there'
  if (code === 'EACCES') return 'this user may not use that port'
  return typeof code === 'string' ? code : 'unknown reason'
}

/** How a program on this machine reaches a server that listens on `host`. */
export function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return host.includes(':') ? `http://[${host}]:${port}` : `http://${host}:${port}`
}
