// Executes blocks of transfers and of ERC-20 transfers on the engine of the embedded client, in this one thread:
// build, import by another engine, commit to LevelDB. Rates are per second of wall time and, for a busy machine, of CPU time.
// `node --max-semi-space-size=64 build/bench/execution.js [blocks] [transactions per block] [transfer|erc20]`
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keccak256 } from '../src/base/crypto/keccak.js'
import { addressOfPrivateKey } from '../src/base/crypto/secp256k1.js'
import { bytesToHex, concatBytes, hexToBytes, uintToBytes } from '../src/base/primitives/bytes.js'
import { type Address, zeroHash } from '../src/base/primitives/hashes.js'
import { feeVaultAddress } from '../src/base/protocol/protocol-parameters.js'
import { ChainEngine } from '../src/io/execution/embedded/engine/chain-engine.js'
import type { Genesis } from '../src/io/execution/genesis.js'
import { signTransaction } from '../src/io/execution/sign-transaction.js'
import { LevelStore } from '../src/io/storage/level-store.js'

const blocks = Number(process.argv[2] ?? 5)
const perBlock = Number(process.argv[3] ?? 2000)
const accounts = 4000
const chainId = 7777
const keys = Array.from({ length: accounts }, (_, i) => uintToBytes(i + 1, 32))
const addresses = keys.map(addressOfPrivateKey)
const token: Address = '0x00000000000000000000000000000000000700ce'
const fees = { chainId, maxFeePerGas: 100_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n }

function compileToken(): Uint8Array {
  const require = createRequire(import.meta.url)
  const solc = require('solc')
  const read = (path: string) => ({ contents: readFileSync(require.resolve(path), 'utf8') })
  const source =
    'pragma solidity ^0.8.20; import "@openzeppelin/contracts/token/ERC20/ERC20.sol"; contract T is ERC20("T","T") { constructor() { } }'
  const input = {
    language: 'Solidity',
    sources: { 'T.sol': { content: source } },
    settings: {
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { '*': { '*': ['evm.deployedBytecode.object'] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }))
  return hexToBytes(`0x${output.contracts['T.sol'].T.evm.deployedBytecode.object}`)
}

const slotOfBalance = (address: Address) =>
  bytesToHex(keccak256(concatBytes(uintToBytes(0, 12), hexToBytes(address), uintToBytes(0, 32))))

const genesis: Genesis = {
  chainId,
  timestamp: 1_700_000_000,
  gasLimit: 1_000_000_000,
  l1OriginNumber: 0,
  l1OriginHash: bytesToHex(new Uint8Array(32)),
  alloc: {
    ...Object.fromEntries(addresses.map(address => [address, { balance: 10n ** 24n }])),
    [token]: {
      balance: 0n,
      nonce: 1,
      code: bytesToHex(compileToken()),
      storage: Object.fromEntries(addresses.map(a => [slotOfBalance(a), bytesToHex(uintToBytes(10n ** 24n, 32))])),
    },
  },
}

type Kind = 'transfer' | 'erc20'
function makeTransaction(kind: Kind, index: number, nonce: number): Uint8Array {
  const key = keys[index % accounts]!
  const to = addresses[(index * 7 + nonce * 13 + 1) % accounts]!
  if (kind === 'transfer') return signTransaction({ type: 2, ...fees, nonce, gasLimit: 21_000, to, value: 1000n }, key)
  const data = concatBytes(hexToBytes('0xa9059cbb'), uintToBytes(0, 12), hexToBytes(to), uintToBytes(5, 32))
  return signTransaction({ type: 2, ...fees, nonce, gasLimit: 100_000, to: token, data }, key)
}

async function measure(kind: Kind): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'morphism-bench-'))
  const stores = await Promise.all(
    ['a', 'b'].map(name => LevelStore.open({ path: join(directory, name), writeBufferBytes: 32 << 20 })),
  )
  const [builder, importer] = await Promise.all(stores.map(store => ChainEngine.open({ store, genesis })))
  const nonces = new Array<number>(accounts).fill(0)
  const times = { build: 0, import: 0, commit: 0, cpu: 0 }
  let count = 0
  let next = 0
  for (let round = 0; round < blocks + 1; round++) {
    const picked = Array.from({ length: perBlock }, () => next++ % accounts)
    const transactions = picked.map(i => makeTransaction(kind, i, nonces[i]!++))
    const senders = picked.map(i => addresses[i]!)
    const { hash, header } = builder!.head
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    const built = await builder!.buildBlock({
      parentHash: hash,
      height: header.number + 1,
      timestamp: header.timestamp + 1,
      feeRecipient: feeVaultAddress,
      prevRandao: hash,
      gasLimit: genesis.gasLimit,
      context: {
        version: 1,
        setId: 1,
        proposerIndex: 0,
        timestampMs: 0,
        l1OriginNumber: 0,
        l1OriginHash: zeroHash,
        messagesConsumed: 0,
        inboxRoot: zeroHash,
      },
      withdrawals: [],
      transactions,
      senders,
      onInvalidTransaction: 'fail',
    })
    const builtAt = performance.now()
    const { user, system } = process.cpuUsage(cpuBefore)
    const status = await importer!.newPayload(built.block, senders)
    if (status.status !== 'VALID') throw new RangeError(JSON.stringify(status))
    const importedAt = performance.now()
    const choice = { head: built.block.hash, safe: hash, finalized: hash }
    await builder!.forkchoiceUpdated(choice)
    const committedAt = performance.now()
    await importer!.forkchoiceUpdated(choice)
    if (round === 0) continue
    count += built.block.transactions.length
    times.build += builtAt - start
    times.cpu += (user + system) / 1000
    times.import += importedAt - builtAt
    times.commit += committedAt - importedAt
  }
  const perSecond = (ms: number) => Math.round((count * 1000) / ms)
  console.log(
    JSON.stringify({
      kind,
      transactions: count,
      buildPerSecond: perSecond(times.build),
      buildPerCpuSecond: perSecond(times.cpu),
      importPerSecond: perSecond(times.import),
      commitPerSecond: perSecond(times.commit),
      buildAndCommitPerSecond: perSecond(times.build + times.commit),
    }),
  )
  await Promise.all(stores.map(store => store.close()))
  rmSync(directory, { recursive: true, force: true })
}

const only = process.argv[4]
for (const kind of ['transfer', 'erc20'] as const) if (only === undefined || only === kind) await measure(kind)
