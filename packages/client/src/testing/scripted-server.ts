import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'

/** One request as it arrived. */
export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that answers each request as told, in order; the last answer is repeated. */
export interface ScriptedServer {
  readonly url: string
  readonly seen: readonly SeenRequest[]
  close(): Promise<void>
}

export type ScriptedAnswer = (response: ServerResponse, request: SeenRequest) => void

/** Starts one on a free port of the loopback address. */
export async function startScriptedServer(...answers: readonly ScriptedAnswer[]): Promise<ScriptedServer> {
  const seen: SeenRequest[] = []
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const { method = '', url = '', headers } = request
    const one = { method, url, headers, body: Buffer.concat(parts).toString() }
    const answer = answers[Math.min(seen.length, answers.length - 1)]
    seen.push(one)
    answer?.(response, one)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Answers with JSON. */
export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): ScriptedAnswer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

/** A problem as the service answers it. */
export function problem(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): ScriptedAnswer {
  const body = { title: 'x', status, code, detail: `detail of ${code}`, hint: 'a hint', requestId: 'r-1' }
  return json(status, body, headers)
}

/** Breaks the connection without an answer. */
export const hangUp: ScriptedAnswer = (response) => {
  response.socket?.destroy()
}

/** Never answers. */
export const silence: ScriptedAnswer = () => undefined
