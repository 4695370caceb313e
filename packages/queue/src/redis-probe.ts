import { connect } from 'node:net'

const ANSWER_MS = 2_000

/**
 * Authenticates at a Redis on the loopback address and sends one command, without a client library: used before Redis
 * is ready, when every answer short of the right one only means 'not yet'. Returns the answer's first line, or null
 * if there was none or the password was refused.
 */
export async function probeRedis(
  port: number,
  password: string,
  command: 'PING' | 'SHUTDOWN',
): Promise<string | null> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    let received = ''
    const finish = (answer: string | null): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(ANSWER_MS, () => finish(null))
    socket.on('error', () => finish(null))
    socket.on('close', () => finish(null))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      const [authenticated, answer, rest] = received.split('\r\n')
      if (authenticated !== '+OK' && received.includes('\r\n')) return finish(null)
      if (rest !== undefined) finish(answer ?? null)
    })
    socket.write(`AUTH ${password}\r\n${command}\r\n`)
  })
}
