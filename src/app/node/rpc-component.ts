import { createRpcServer, type RpcServer } from '../../services/rpc/rpc-server.js'
import { Component, type ComponentPorts } from './component.js'

type ServerArguments = Parameters<typeof createRpcServer>[0]

/** The JSON-RPC server as a component: each one listens where the first did. */
export function rpcComponent({
  config,
  ports,
  fail,
}: ServerArguments & Pick<ComponentPorts, 'fail'>): Component<RpcServer> {
  let port = config.port
  const recipe = {
    async start(onFailure: (error: unknown) => void) {
      const server = await createRpcServer({
        config: { ...config, ...(port === undefined ? {} : { port }) },
        ports: { ...ports, onFailure },
      })
      port = server.address().port
      return server
    },
    stop: (server: RpcServer, isForGood: boolean) => (isForGood ? server[Symbol.asyncDispose]() : server.handOver()),
  }
  return new Component('rpc', recipe, { ...ports, fail })
}
