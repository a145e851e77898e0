import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HeldBytes } from '../../base/primitives/held-bytes.js'
import { MorphismError } from '../../base/primitives/morphism-error.js'
import { limitConnections } from './connection-limit.js'
import { FilterRegistry } from './filter-registry.js'
import { HttpEndpoint } from './http-endpoint.js'
import { askExecution, executionMethods } from './methods/execution-methods.js'
import { filterMethods } from './methods/filter-methods.js'
import { morphismMethods } from './methods/morphism-methods.js'
import { nodeMethods } from './methods/node-methods.js'
import { subscriptionMethods } from './methods/subscription-methods.js'
import { transactionMethods } from './methods/transaction-methods.js'
import { txpoolMethods } from './methods/txpool-methods.js'
import { PacedWork } from './paced-work.js'
import { defaultRpcConfig, type RpcConfig } from './rpc-config.js'
import { RpcDispatcher } from './rpc-dispatcher.js'
import type { Caller, RpcMethods } from './rpc-method.js'
import type { RpcPorts } from './rpc-ports.js'
import { SlowLine } from './slow-line.js'
import { SubscriptionHub } from './subscription-hub.js'
import { TokenBuckets } from './token-buckets.js'
import { WebSocketEndpoint } from './web-socket-endpoint.js'

/** The server could not start: PORT_IN_USE or LISTEN_FAILED. */
export class RpcServerError extends MorphismError {
  override readonly name = 'RpcServerError'
}

/** Where the server listens. */
export interface RpcAddress {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly wsUrl: string
}

/** JSON-RPC over HTTP and WebSocket on one port. */
export interface RpcServer extends AsyncDisposable {
  address(): RpcAddress
  /** Stops for another to take its place: what is under way has a moment to finish, WebSockets hear 1012 (service restart). */
  handOver(): Promise<void>
}

const readTimeoutMs = 30_000
const idleTimeoutMs = 120_000
/** How long requests under way may go on when the server hands over. */
const handOverMs = 1_000

/** Starts the server; it listens once this resolves. Disposing cuts every connection. @throws RpcServerError */
export async function createRpcServer({
  config: settings,
  ports,
}: {
  config: Partial<RpcConfig> & Pick<RpcConfig, 'chainId' | 'clientVersion'>
  ports: RpcPorts
}): Promise<RpcServer> {
  const config: RpcConfig = { ...defaultRpcConfig, ...settings }
  const { clock, metrics } = ports
  const logger = ports.logger.child('rpc')
  const server = createServer({ requestTimeout: readTimeoutMs, keepAliveTimeout: idleTimeoutMs })
  limitConnections(server, { inAll: config.maxConnections, ofHost: config.maxConnectionsPerHost })
  const address = await listen(server, config)

  const work = new PacedWork<'heads' | 'logs' | 'transactions' | 'held' | 'filters'>()
  const hub = new SubscriptionHub({ ...ports, config, work })
  const filters = new FilterRegistry({ config, heads: ports.heads, mempool: ports.mempool, clock, work })
  const dispatcher = new RpcDispatcher({
    config,
    methods: allMethods({ config, ports, hub, filters }),
    buckets: new TokenBuckets(config.requestsPerSecond, clock),
    logger,
    metrics,
  })
  const connections = metrics.gauge('morphism_rpc_websocket_connections', 'Open WebSocket connections')
  const held = new HeldBytes<Caller>(config.maxHeldBytes, caller => caller.disconnect('holds most, and all too much'))
  const webSockets = new WebSocketEndpoint({ config, dispatcher, hub, held, clock, logger, connections })
  const http = new HttpEndpoint({ config, dispatcher, held, clock, logger })
  server.on('request', http.handle)
  server.on('upgrade', webSockets.handleUpgrade)
  server.on('clientError', (_error, socket) => http.handleError(socket))
  server.on('error', error => ports.onFailure?.(error))
  logger.info('rpc listens', { url: address.url })

  const stop = async (isHandOver: boolean) => {
    hub.close()
    filters.close()
    work.close()
    const closed = new Promise(resolve => server.close(resolve))
    const cut = () => {
      webSockets.cut()
      server.closeAllConnections()
    }
    http.closeAfterAnswers()
    webSockets.close(isHandOver)
    if (!isHandOver) cut()
    const cancelCut = clock.schedule(handOverMs, cut)
    await closed
    cancelCut()
  }
  return { address: () => address, handOver: () => stop(true), [Symbol.asyncDispose]: () => stop(false) }
}

function allMethods({
  config,
  ports,
  hub,
  filters,
}: {
  config: RpcConfig
  ports: RpcPorts
  hub: SubscriptionHub
  filters: FilterRegistry
}): RpcMethods {
  const { execution, clock, mempool, network, morphism } = ports
  const slow = new SlowLine()
  const ask = askExecution({ execution, clock, timeoutMs: config.executionTimeoutMs })
  return {
    ...executionMethods(ask),
    ...transactionMethods({ mempool, ask, slow }),
    ...nodeMethods({ config, network, slow }),
    ...txpoolMethods({ mempool, slow }),
    ...filterMethods({ filters, ask, slow }),
    ...subscriptionMethods({ hub, config }),
    ...morphismMethods({ morphism, mempool, ask }),
  }
}

async function listen(server: Server, { host, port }: Pick<RpcConfig, 'host' | 'port'>): Promise<RpcAddress> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isInUse = cause.code === 'EADDRINUSE'
      const message = isInUse
        ? `port ${port} on ${host} is in use`
        : `cannot listen on ${host}:${port}: ${cause.message}`
      reject(new RpcServerError(isInUse ? 'PORT_IN_USE' : 'LISTEN_FAILED', message, { host, port }, { cause }))
    })
    server.listen({ host, port }, resolve)
  })
  server.removeAllListeners('error')
  const bound = server.address() as AddressInfo
  const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  return {
    host: bound.address,
    port: bound.port,
    url: `http://${name}:${bound.port}`,
    wsUrl: `ws://${name}:${bound.port}`,
  }
}
