import { WebSocket } from 'ws'
import type { Clock } from '../../io/time/clock.js'
import { chainId, FakeNode } from './fake-node.fixture.js'
import type { RpcConfig } from './rpc-config.js'
import { createRpcServer, type RpcAddress, type RpcServer } from './rpc-server.js'

/** A parsed JSON object. */
export type Json = Record<string, unknown>

/** A JSON-RPC call. */
export const message = (method: string, params: unknown[] = [], id: unknown = 1) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
})

interface Posted {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
}

/** A server on a free port with a fake node behind it, and ways to talk to it. */
export class RunningServer implements AsyncDisposable {
  private constructor(
    readonly node: FakeNode,
    private readonly server: RpcServer,
  ) {}

  static async start(config: Partial<RpcConfig> = {}, clock?: Clock): Promise<RunningServer> {
    const node = new FakeNode(clock)
    const settings = { chainId, clientVersion: 'morphism/test', port: 0, ...config }
    return new RunningServer(node, await createRpcServer({ config: settings, ports: node.ports() }))
  }

  get address(): RpcAddress {
    return this.server.address()
  }

  async post(
    body: string | Uint8Array,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ): Promise<Posted> {
    const response = await fetch(this.address.url, { method: 'POST', headers, body })
    return { status: response.status, headers: new Map(response.headers), text: await response.text() }
  }

  async ask(method: string, ...params: unknown[]): Promise<Json & { result?: unknown; error?: Json }> {
    return JSON.parse((await this.post(JSON.stringify(message(method, params)))).text)
  }

  /** A raw WebSocket that collects what it receives. */
  async openSocket() {
    const socket = new WebSocket(this.address.wsUrl)
    const received: Json[] = []
    socket.on('message', data => received.push(JSON.parse(String(data))))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return { socket, received, send: (value: unknown) => socket.send(JSON.stringify(value)) }
  }

  /** Stops for another server to take its place. */
  handOver(): Promise<void> {
    return this.server.handOver()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server[Symbol.asyncDispose]() as Promise<void>
  }
}
