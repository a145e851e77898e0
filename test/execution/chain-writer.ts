// Builds and commits blocks on the data directory until it is killed; prints each height once it is durable.

import { keccak256 } from '../../src/base/crypto/keccak.js'
import { addressOfPrivateKey } from '../../src/base/crypto/secp256k1.js'
import { uintToBytes } from '../../src/base/primitives/bytes.js'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { createEmbeddedExecution } from '../../src/io/execution/embedded/embedded-execution.js'
import { genesisContext } from '../../src/io/execution/genesis.js'
import { signTransaction } from '../../src/io/execution/sign-transaction.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { crashGenesis, crashKey, writerContract } from './crash-genesis.js'

const client = await createEmbeddedExecution({ dataDir: process.argv[2]!, genesis: crashGenesis, logger: silentLogger })
const [account] = await client.accounts([addressOfPrivateKey(crashKey)])
let nonce = account!.nonce
for (;;) {
  const { hash, header } = await client.head()
  const height = header.number + 1
  const fees = { chainId: crashGenesis.chainId, maxFeePerGas: 10n ** 12n }
  const transactions = Array.from({ length: 60 }, (_, i) => {
    const random = keccak256(uintToBytes(height * 1000 + i, 32))
    const target =
      i % 3 === 0
        ? { to: writerContract, data: random, gasLimit: 100_000 }
        : { to: addressOfPrivateKey(random), value: 1n, gasLimit: 21_000 }
    return signTransaction({ type: 2, nonce: nonce++, ...fees, ...target }, crashKey)
  })
  const { block } = await client.buildBlock({
    parentHash: hash,
    height,
    timestamp: header.timestamp + 1,
    feeRecipient: writerContract,
    prevRandao: zeroHash,
    gasLimit: crashGenesis.gasLimit,
    context: genesisContext(crashGenesis),
    withdrawals: [],
    transactions,
    onInvalidTransaction: 'fail',
  })
  await client.forkchoiceUpdated({ head: block.hash, safe: hash, finalized: zeroHash })
  process.stdout.write(`${height}\n`)
}
