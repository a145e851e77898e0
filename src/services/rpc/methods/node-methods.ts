import { keccak256Hex } from '../../../base/crypto/keccak.js'
import { JsonText, toJson } from '../../../base/encoding/json.js'
import { readBytes, toQuantity } from '../../../io/execution/embedded/queries/hex-arguments.js'
import type { ArgumentReader } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../../io/execution/execution-rpc-error.js'
import type { RpcConfig } from '../rpc-config.js'
import type { RpcMethod, RpcMethods } from '../rpc-method.js'
import type { NetworkStatus } from '../rpc-ports.js'
import type { SlowLine } from '../slow-line.js'
import { syncingJson } from '../syncing-json.js'

/** More bytes would take the node's main thread long: it is a caller's own work. */
const maxHashedBytes = 128 * 1024

/** Refuses what is too long before it reads it. */
const readHashedBytes: ArgumentReader<Uint8Array> = value => {
  if (typeof value !== 'string' || value.length <= 2 + 2 * maxHashedBytes) return readBytes(value)
  throw new ExecutionRpcError({
    code: rpcErrorCodes.limitExceeded,
    message: `too much to hash: ${maxHashedBytes} bytes at most`,
  })
}

/** `net_`, `web3_`, `rpc_` and what `eth_` says of the node itself. */
export function nodeMethods({
  config: { chainId, clientVersion },
  network,
  slow,
}: {
  config: Pick<RpcConfig, 'chainId' | 'clientVersion'>
  network: NetworkStatus
  slow: SlowLine
}): RpcMethods {
  const plain =
    (answer: () => unknown): RpcMethod =>
    ({ args }) => {
      args.end()
      return answer()
    }
  return {
    net_version: plain(() => String(chainId)),
    net_listening: plain(() => true),
    net_peerCount: plain(() => toQuantity(network.peerCount())),
    web3_clientVersion: plain(() => clientVersion),
    web3_sha3: ({ args, context }) =>
      slow.run(context, function* () {
        const bytes = args.required(readHashedBytes)
        args.end()
        yield bytes.length
        return new JsonText(toJson(keccak256Hex(bytes)))
      }),
    rpc_modules: plain(() => ({ eth: '1.0', morphism: '1.0', net: '1.0', rpc: '1.0', txpool: '1.0', web3: '1.0' })),
    eth_chainId: plain(() => toQuantity(chainId)),
    eth_syncing: plain(() => {
      const progress = network.syncing()
      return progress ? syncingJson(progress) : false
    }),
    eth_mining: plain(() => false),
    eth_hashrate: plain(() => '0x0'),
  }
}
