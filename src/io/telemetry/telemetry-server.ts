import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { TelemetryError } from './telemetry-error.js'

/** What `/health` says: `healthy` decides between 200 and 503, the rest is shown. */
export interface Health {
  readonly healthy: boolean
  readonly status: string
  readonly [field: string]: unknown
}

/** Serves `GET /metrics` (Prometheus text) and `GET /health` (JSON) over HTTP. */
export class TelemetryServer {
  private constructor(
    private readonly server: Server,
    /** The address that it listens on. */
    readonly url: string,
  ) {}

  /** @throws TelemetryError LISTEN_FAILED */
  static async start({
    host = '127.0.0.1',
    port,
    metrics,
    health,
  }: {
    host?: string
    port: number
    metrics: () => Promise<string>
    health: () => Health | Promise<Health>
  }): Promise<TelemetryServer> {
    const limits = { maxHeaderSize: 8_192, headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 }
    const server = createServer(limits, (request, response) => void respond(request, response, { metrics, health }))
    server.maxConnections = 64
    server.listen(port, host)
    try {
      await once(server, 'listening')
    } catch (error) {
      const message = `cannot serve metrics on ${host}:${port}: is the port in use?`
      throw new TelemetryError('LISTEN_FAILED', message, { host, port }, { cause: error })
    }
    return new TelemetryServer(server, `http://${host}:${(server.address() as AddressInfo).port}`)
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, health }: { metrics: () => Promise<string>; health: () => Health | Promise<Health> },
): Promise<void> {
  const finish = (status: number, type: string, body: string) =>
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
  const path = request.url?.split('?')[0]
  try {
    if (request.method !== 'GET') finish(405, 'text/plain', 'only GET is answered\n')
    else if (path === '/metrics') finish(200, 'text/plain; version=0.0.4; charset=utf-8', await metrics())
    else if (path === '/health') {
      const state = await health()
      finish(state.healthy ? 200 : 503, 'application/json', `${JSON.stringify(state, bigintAsText)}\n`)
    } else finish(404, 'text/plain', 'there are /metrics and /health\n')
  } catch (error) {
    finish(500, 'text/plain', `${(error as Error).message}\n`)
  }
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
