import { mkdir } from 'node:fs/promises'
import { memberByKey } from '../../base/protocol/sequencer-set.js'
import { UnixSocketError } from '../../io/ipc/unix-socket.js'
import { PinoLogger } from '../../io/telemetry/pino-logger.js'
import { PrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import { TelemetryServer } from '../../io/telemetry/telemetry-server.js'
import { systemClock } from '../../io/time/system-clock.js'
import { IpcEndpoint } from '../../services/rpc/ipc-endpoint.js'
import type { MorphismQueries } from '../../services/rpc/morphism-queries.js'
import { endOnUncaught } from '../end-on-uncaught.js'
import { adminMethods } from './admin-methods.js'
import { adminSocketOf } from './admin-socket.js'
import { assembleNode, type NodeGround, type NodeServices, type NodeTerms } from './assemble-node.js'
import type { Component } from './component.js'
import type { Frame } from './frame.js'
import { failure, Lifecycle } from './lifecycle.js'
import type { NodeConfig } from './node-config.js'
import { nodeHealth } from './node-health.js'
import { nodeQueries, syncProgress } from './node-queries.js'
import { openGround } from './open-ground.js'
import { rpcComponent } from './rpc-component.js'

export interface RunningNode {
  /** Stops every part in reverse order of its start. */
  stop(): Promise<void>
  /** Resolves when the node had to give up; it has stopped by then. */
  readonly failed: Promise<void>
}

/** Starts a node: opens what it stands on, joins its services, and opens its doors. @throws MorphismError */
export async function startNode(config: NodeConfig): Promise<RunningNode> {
  const logger = PinoLogger.create({ level: config.logLevel })
  endOnUncaught(logger)
  const lifecycle = new Lifecycle(logger)
  const stopping = new AbortController()
  const { failed, fail } = failure({ logger, lifecycle, stopping })
  const metrics = new PrometheusMetrics()
  const frame: Frame = { config, clock: systemClock, logger, metrics, lifecycle, fail, stopping: stopping.signal }
  try {
    await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
    const { terms, ground, network } = await openGround(frame)
    const services = await assembleNode({ terms, ground, lifecycle })
    const { sets, chain } = services
    network.recognize(key => memberByKey(sets.setAt(chain.height() + 1), key) !== undefined)
    await network.start()
    const rpc = await startServers(frame, { terms, ground, services })
    const components = [rpc, services.batcher.component, ...(services.submitter ? [services.submitter] : [])]
    await openAdministration(frame, components)
    logger.info('node is running', { role: config.role, height: services.chain.height(), peer: network.localPeer })
  } catch (error) {
    stopping.abort()
    await lifecycle.stop()
    throw error
  }
  return {
    failed,
    stop() {
      stopping.abort()
      return lifecycle.stop()
    },
  }
}

/** JSON-RPC for users, then telemetry. */
async function startServers(
  { config, clock, logger, metrics, lifecycle, fail }: Frame,
  { terms, ground: { execution, network }, services }: { terms: NodeTerms; ground: NodeGround; services: NodeServices },
): Promise<Component<object>> {
  const { chain, mempool, batcher, syncer, follower, sets, evidence, engine, signing } = services
  const { version, role } = config
  const morphism = nodeQueries({
    version,
    role,
    chain,
    execution,
    sets,
    batcher,
    follower,
    syncer,
    network,
    evidence,
    signing: () => signing?.state() ?? null,
    protocol: terms.protocol,
    clock,
    engine: () => engine?.status() ?? null,
    progress: () => engine?.inProgress() ?? null,
  })
  const rpc = rpcComponent({
    fail,
    config: {
      ...config.rpc,
      chainId: config.network.l2.chainId,
      clientVersion: `morphism/v${version}/${process.platform}-${process.arch}/node${process.versions.node}`,
    },
    ports: {
      execution,
      mempool,
      heads: { onHead: handler => chain.onCommitted(({ change }) => handler(change)) },
      network: { peerCount: () => network.peers().length, syncing: () => syncProgress({ chain, syncer }) },
      morphism,
      clock,
      logger,
      metrics,
    },
  })
  await rpc.start()
  lifecycle.own('rpc', () => rpc.dispose())
  await startTelemetry({ config, metrics, lifecycle }, { morphism, chain, follower })
  return rpc
}

/** Metrics and health for operators. */
async function startTelemetry(
  { config, metrics, lifecycle }: Pick<Frame, 'config' | 'metrics' | 'lifecycle'>,
  {
    morphism,
    chain,
    follower,
  }: Pick<NodeServices, 'chain' | 'follower'> & {
    readonly morphism: MorphismQueries
  },
): Promise<void> {
  const health = async () =>
    nodeHealth({ status: await morphism.nodeStatus(), halt: chain.versionHalt(), l1: follower.health() })
  const telemetry = await TelemetryServer.start({ port: config.metricsPort, metrics: () => metrics.text(), health })
  lifecycle.own('telemetry', () => telemetry.close())
}

/** Takes administration on a Unix socket in the data directory. A node that cannot goes on without: it can still vote. */
async function openAdministration(
  { config, clock, logger, metrics, lifecycle }: Frame,
  components: readonly Component<object>[],
): Promise<void> {
  const ports = { clock, metrics, logger: logger.child('admin') }
  try {
    const methods = adminMethods({ ...ports, components })
    const endpoint = await IpcEndpoint.listen({ path: adminSocketOf(config.dataDir), methods, ports })
    lifecycle.own('administration', () => endpoint[Symbol.asyncDispose]())
  } catch (error) {
    if (!(error instanceof UnixSocketError)) throw error
    ports.logger.error('this node takes no administration (morphism restart)', { error })
  }
}
