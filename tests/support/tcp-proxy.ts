import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A network between a client and a server, which can be slow or cut. */
export interface TcpProxy {
  readonly port: number
  /** Passes no more than so many bytes per second, connection and direction from now on. */
  slowDown(bytesPerSecond: number): void
  /** Resets all connections, and refuses new ones. */
  cut(): void
  /** Is what it was in the beginning. */
  heal(): void
  close(): Promise<void>
}

type Way = 'open' | 'cut'

/** Stands before a port of loopback. */
export async function startTcpProxy(serverPort: number): Promise<TcpProxy> {
  const network = new Network()
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) =>
    network.join(client, serverPort),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return {
    port: address.port,
    slowDown(rate) {
      network.bytesPerSecond = rate
    },
    cut() {
      network.way = 'cut'
      network.reset()
    },
    heal() {
      network.way = 'open'
      network.bytesPerSecond = Number.POSITIVE_INFINITY
    },
    async close() {
      network.reset()
      server.close()
      await once(server, 'close')
    },
  }
}

class Network {
  way: Way = 'open'
  bytesPerSecond = Number.POSITIVE_INFINITY
  readonly #sockets = new Set<Socket>()

  join(client: Socket, serverPort: number): void {
    this.#keep(client)
    if (this.way === 'cut') client.resetAndDestroy()
    if (this.way !== 'open') return
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true })
    this.#keep(server)
    this.#pass(client, server)
    this.#pass(server, client)
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#sockets.delete(socket))
  }

  #pass(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      from.pause()
      void this.#hand(chunk, from, to)
    })
    from.resume()
    from.once('end', () => {
      if (this.way === 'open') to.end()
    })
    from.once('close', () => {
      if (this.way === 'open') to.destroy()
    })
  }

  /** What has arrived when the network is cut is lost, and nothing more is read. */
  async #hand(chunk: Buffer, from: Socket, to: Socket): Promise<void> {
    if (Number.isFinite(this.bytesPerSecond)) await sleep((chunk.length / this.bytesPerSecond) * 1000)
    if (this.way !== 'open') return
    // a write that cannot be taken at once ends with the socket, too
    if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => {})
    if (this.way === 'open') from.resume()
  }
}
