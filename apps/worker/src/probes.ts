import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Configuration } from '@holdfast/core'
import { Gauge, Registry } from 'prom-client'
import type { RunningWorker } from './compose.ts'

/**
 * Answers `/healthz`, `/readyz` and `/metrics` for orchestrators, on HOLDFAST_WORKER_PORT; without it, listens on
 * nothing. The answers name no target and hold no secret, so that they need no key.
 */
export async function listenForProbes(
  configuration: Pick<Configuration, 'host' | 'workerPort'>,
  worker: Pick<RunningWorker, 'isHealthy' | 'running'>,
): Promise<{ readonly port: number | null; close(): Promise<void> }> {
  if (configuration.workerPort === null) return { port: null, close: async () => {} }
  const registry = metricsOf(worker)
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/metrics') {
      response.setHeader('content-type', registry.contentType).end(await registry.metrics())
      return
    }
    const known = path === '/healthz' || path === '/readyz'
    const ok = path === '/healthz' || worker.isHealthy()
    response.writeHead(known ? (ok ? 200 : 503) : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ status: known ? (ok ? 'ok' : 'unavailable') : 'not found' }))
  })
  server.listen(configuration.workerPort, configuration.host)
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : null,
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function metricsOf(worker: Pick<RunningWorker, 'running'>): Registry {
  const registry = new Registry()
  new Gauge({
    name: 'holdfast_worker_operations_running',
    help: 'Operations that this worker carries out at the moment',
    registers: [registry],
    collect() {
      this.set(worker.running())
    },
  })
  return registry
}
