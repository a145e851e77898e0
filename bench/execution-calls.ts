// Block time (build, commit) of the embedded client alone, and while a hundred eth_calls burn 30M gas each.
// `node build/bench/execution-calls.js [blocks] [transactions per block]`
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOfPrivateKey } from '../src/base/crypto/secp256k1.js'
import { uintToBytes } from '../src/base/primitives/bytes.js'
import { type Address, zeroHash } from '../src/base/primitives/hashes.js'
import { createEmbeddedExecution } from '../src/io/execution/embedded/embedded-execution.js'
import { type Genesis, genesisContext } from '../src/io/execution/genesis.js'
import { signTransaction } from '../src/io/execution/sign-transaction.js'
import { silentLogger } from '../src/io/telemetry/logger.js'

const blocks = Number(process.argv[2] ?? 40)
const perBlock = Number(process.argv[3] ?? 200)
const chainId = 7778
const burner: Address = '0x000000000000000000000000000000000000b012'
const keys = Array.from({ length: perBlock }, (_, i) => uintToBytes(i + 1, 32))
const senders = keys.map(addressOfPrivateKey)
const genesis: Genesis = {
  chainId,
  timestamp: 1_700_000_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: {
    ...Object.fromEntries(senders.map(address => [address, { balance: 10n ** 24n }])),
    [burner]: { balance: 0n, nonce: 1, code: '0x5b5f56' },
  },
}
const dataDir = mkdtempSync(join(tmpdir(), 'morphism-calls-'))
const client = await createEmbeddedExecution({ dataDir, genesis, logger: silentLogger })
let nonce = 0

async function medianBlockMs(): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < blocks; i++, nonce++) {
    const transactions = keys.map((key, at) =>
      signTransaction(
        { type: 2, chainId, nonce, maxFeePerGas: 10n ** 12n, gasLimit: 21_000, to: senders[(at + 1) % perBlock]! },
        key,
      ),
    )
    const { hash, header } = await client.head()
    const start = performance.now()
    const { block } = await client.buildBlock({
      parentHash: hash,
      height: header.number + 1,
      timestamp: header.timestamp,
      feeRecipient: burner,
      prevRandao: zeroHash,
      gasLimit: genesis.gasLimit,
      context: genesisContext(genesis),
      withdrawals: [],
      transactions,
      senders,
      onInvalidTransaction: 'fail',
    })
    await client.forkchoiceUpdated({ head: block.hash, safe: hash, finalized: hash })
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)[blocks >> 1]!
}

await medianBlockMs()
const alone = await medianBlockMs()
let answered = 0
const calls = Array.from({ length: 100 }, () =>
  client
    .request('eth_call', [{ to: burner, gas: '0x1c9c380' }, 'latest'])
    .catch(() => {})
    .finally(() => answered++),
)
const flooded = await medianBlockMs()
const answeredMeanwhile = answered
await client.close()
await Promise.allSettled(calls)
rmSync(dataDir, { recursive: true, force: true })
console.log(JSON.stringify({ perBlock, aloneMs: alone, floodedMs: flooded, ratio: flooded / alone, answeredMeanwhile }))
