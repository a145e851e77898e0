import type { BlockHash } from '../../base/primitives/hashes.js'
import type { SigningDomain } from '../../base/protocol/signing-domain.js'
import type { ConsensusSigner } from '../../io/keys/consensus-signer.js'
import { Libp2pNetwork } from '../../io/network/libp2p-network.js'
import type { Frame } from './frame.js'
import { loadOrCreateNodeIdentity } from './node-identity.js'

/** The network by which the node meets its peers, not started. @throws KeyError NetworkError */
export async function openNetwork(
  { config, clock, logger, metrics, lifecycle }: Frame,
  { domain, genesisHash, signer }: { domain: SigningDomain; genesisHash: BlockHash; signer: ConsensusSigner | null },
): Promise<Libp2pNetwork> {
  const { seed } = await loadOrCreateNodeIdentity(config.nodeKeyFile)
  const network = await Libp2pNetwork.create({
    config: {
      listen: { host: config.p2p.host, port: config.p2p.port },
      peers: config.p2p.peers,
      network: { l2ChainId: config.network.l2.chainId, genesisHash, domain },
      role: config.role,
    },
    nodeKey: seed,
    ...(signer ? { signer } : {}),
    logger: logger.child('network'),
    metrics,
    clock,
  })
  lifecycle.own('network', () => network.close())
  return network
}
