import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** Stands between clients and a server on the loopback. */
export interface TcpProxy {
  readonly port: number
  /** From now on nothing gets through any more, in either direction, while connections stay open and are made. */
  stall(): void
  close(): Promise<void>
}

/** Starts one in front of a port, on a free one unless it is told. */
export async function startProxy(target: number, port = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let stalled = false
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    keep(client)
    // accepted and never answered
    if (stalled) return
    const behind = connect(target, '127.0.0.1')
    keep(behind)
    client.pipe(behind)
    behind.pipe(client)
    client.on('close', () => behind.destroy())
    behind.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: portOf(server),
    stall: () => {
      stalled = true
      for (const socket of sockets) socket.unpipe().pause()
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function portOf(server: Server): number {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
  return address.port
}
