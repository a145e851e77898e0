import { type Abi, encodeFunctionData } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressOfPrivateKey } from '../../src/base/crypto/secp256k1.js'
import { bytesToHex, type Hex, hexToBytes, uintToBytes } from '../../src/base/primitives/bytes.js'
import { type Address, zeroHash } from '../../src/base/primitives/hashes.js'
import { nextBaseFee } from '../../src/io/execution/embedded/engine/base-fee.js'
import { createInProcessExecution } from '../../src/io/execution/embedded/in-process-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import { type Genesis, genesisContext } from '../../src/io/execution/genesis.js'
import { signTransaction, type UnsignedTransaction } from '../../src/io/execution/sign-transaction.js'
import { MemoryStore } from '../../src/io/storage/memory-store.js'
import { type Anvil, startAnvil } from './anvil.js'
import { precompileInputs } from './precompile-inputs.js'
import { compileProbe } from './probe-contract.js'

const chainId = 424242
const keys = [11, 12, 13, 14].map(i => uintToBytes(i, 32))
const [alice, bob, carol, dave] = keys.map(addressOfPrivateKey) as [Address, Address, Address, Address]
const strangers = ['01', '02', '03'].map(end => `0x00000000000000000000000000000000000bee${end}` as Hex)
const feeRecipient: Address = '0x0000000000000000000000000000000000c01b00'
const ether = 10n ** 18n
const genesis: Genesis = {
  chainId,
  timestamp: Math.floor(Date.now() / 1000) + 1_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: Object.fromEntries([alice, bob, carol, dave].map(address => [address, { balance: 10_000n * ether }])),
}

interface Receipt {
  readonly status: string
  readonly gasUsed: string
  readonly contractAddress: string | null
  readonly logs: readonly { address: string; topics: string[]; data: string; logIndex: string }[]
  readonly effectiveGasPrice: string
  readonly logsBloom: string
}

/** The same transactions on anvil and here, one block each. */
class Twins {
  private readonly nonces = new Map<Address, number>([alice, bob, carol, dave].map(address => [address, 0]))
  private readonly known = new Set<Address>([alice, bob, carol, dave, feeRecipient, ...strangers])

  constructor(
    readonly anvil: Anvil,
    readonly client: ExecutionClient,
  ) {}

  sign({ key = keys[0]!, ...draft }: Partial<Omit<UnsignedTransaction, 'chainId'>> & { key?: Uint8Array }): Uint8Array {
    const sender = addressOfPrivateKey(key)
    const nonce = draft.nonce ?? this.takeNonce(sender)
    const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 123_456_789n }
    return signTransaction({ type: 2, gasLimit: 1_000_000, to: bob, ...fees, ...draft, nonce, chainId }, key)
  }

  /** What an authorization of the account must carry; it counts as its next transaction. */
  takeNonce(address: Address): number {
    const nonce = this.nonces.get(address)!
    this.nonces.set(address, nonce + 1)
    return nonce
  }

  /** Executes the transaction on both and compares all that can be seen of it. */
  async run(raw: Uint8Array): Promise<Receipt> {
    const { anvil, client } = this
    const head = await client.head()
    const { block } = await client.buildBlock({
      parentHash: head.hash,
      height: head.header.number + 1,
      timestamp: head.header.timestamp + 1,
      feeRecipient,
      prevRandao: head.hash,
      gasLimit: genesis.gasLimit,
      context: genesisContext(genesis),
      withdrawals: [],
      transactions: [raw],
      onInvalidTransaction: 'fail',
    })
    await client.forkchoiceUpdated({ head: block.hash, safe: zeroHash, finalized: zeroHash })
    await anvil.rpc('evm_setNextBlockTimestamp', [block.header.timestamp])
    await anvil.rpc('anvil_setNextBlockBaseFeePerGas', [`0x${nextBaseFee(head.header).toString(16)}`])
    const hash = await anvil.rpc<Hex>('eth_sendRawTransaction', [bytesToHex(raw)])
    await anvil.rpc('evm_mine', [])
    const ask = (method: string, params: readonly unknown[]) =>
      Promise.all([client.request(method, params), anvil.rpc<unknown>(method, params)])
    const [ours, theirs] = (await ask('eth_getTransactionReceipt', [hash])) as [Receipt, Receipt]
    expect(comparable(ours)).toEqual(comparable(theirs))
    if (ours.contractAddress !== null) this.known.add(ours.contractAddress as Address)
    for (const log of ours.logs) {
      const address = log.topics[1]?.slice(26)
      if (address !== undefined && !/^0{10}/.test(address)) this.known.add(`0x${address}` as Hex)
    }
    for (const address of this.known)
      for (const method of ['eth_getBalance', 'eth_getTransactionCount', 'eth_getCode']) {
        const [here, there] = await ask(method, [address, 'latest'])
        expect({ method, address, value: here }).toEqual({ method, address, value: there })
      }
    return ours
  }
}

const comparable = ({ status, gasUsed, contractAddress, logs, effectiveGasPrice, logsBloom }: Receipt) => ({
  status,
  gasUsed,
  contractAddress: contractAddress ?? null,
  effectiveGasPrice,
  logsBloom,
  logs: logs.map(({ address, topics, data, logIndex }) => ({ address, topics, data, logIndex })),
})

let anvil: Anvil
let twins: Twins
let abi: Abi
let probe: Address
const call = (functionName: string, ...args: unknown[]): Uint8Array =>
  hexToBytes(encodeFunctionData({ abi, functionName, args }))
const probeCall = (functionName: string, ...args: unknown[]) =>
  twins.run(twins.sign({ to: probe, data: call(functionName, ...args) }))

beforeAll(async () => {
  const client = await createInProcessExecution({ store: new MemoryStore(), genesis })
  const setup = ['--hardfork', 'osaka', '--chain-id', String(chainId), '--gas-limit', '30000000', '--no-mining']
  anvil = await startAnvil([...setup, '--accounts', '1', '--timestamp', String(genesis.timestamp)])
  for (const [address, { balance }] of Object.entries(genesis.alloc))
    await anvil.rpc('anvil_setBalance', [address, `0x${balance.toString(16)}`])
  await anvil.rpc('anvil_setCoinbase', [feeRecipient])
  twins = new Twins(anvil, client)
  const compiled = compileProbe()
  abi = compiled.abi
  const receipt = await twins.run(twins.sign({ to: null, data: compiled.code, gasLimit: 5_000_000, value: 0n }))
  expect(receipt.status).toBe('0x1')
  probe = receipt.contractAddress as Address
})

afterAll(async () => {
  await twins?.client.close()
  await anvil?.stop()
})

describe('the same transaction has the same effect on anvil', () => {
  it('transfers of types 0, 1 and 2', async () => {
    for (const type of [0, 1, 2] as const) {
      await twins.run(twins.sign({ type, to: strangers[type]!, value: ether / 3n, gasLimit: 21_000 }))
      await twins.run(twins.sign({ type, to: alice, value: 1n, gasLimit: 50_000 }))
      await twins.run(twins.sign({ type, to: `0x${'ee'.repeat(20)}` as Hex, value: 0n }))
      await twins.run(twins.sign({ type, to: '0x0000000000000000000000000000000000000004', value: 1n }))
      await twins.run(twins.sign({ type, to: feeRecipient, value: 5n, data: Uint8Array.of(0, 1, 2, 0) }))
      await twins.run(twins.sign({ type, to: probe, value: 77n }))
    }
    const accessList = [
      { address: probe, storageKeys: [zeroHash, bytesToHex(uintToBytes(1, 32))] },
      { address: carol, storageKeys: [] },
    ]
    for (const type of [1, 2] as const)
      await twins.run(twins.sign({ type, to: probe, data: call('counter'), accessList }))
  })

  it('storage: set, clear, refunds and net gas metering', async () => {
    await probeCall('set', 0n, 5n, 7n)
    await probeCall('set', 0n, 5n, 8n)
    await probeCall('set', 0n, 5n, 0n)
    await probeCall('set', 10n, 1n, 1n)
    await probeCall('flip', 10n)
    await probeCall('flip', 9n)
    await probeCall('flip', 9n)
    await probeCall('transient_', 12345n)
    await probeCall('transient_', 0n)
    await probeCall('hash', 200n)
  })

  it('logs, reverts, invalid opcodes and out of gas', async () => {
    await twins.run(twins.sign({ to: probe, data: call('log', '0x'), value: 3n }))
    await probeCall('log', `0x${'ab'.repeat(100)}`)
    for (let how = 0n; how < 6n; how++) {
      expect((await probeCall('fail', how)).status).toBe('0x0')
      await probeCall('tryFail', how)
    }
    await twins.run(twins.sign({ to: probe, data: call('fail', 6n), gasLimit: 200_000 }))
    await probeCall('tryFail', 6n)
    await twins.run(twins.sign({ to: probe, data: call('set', 0n, 9n, 1n), gasLimit: 60_000 }))
    await probeCall('staticWrite')
    await probeCall('recurse', 20n)
    await twins.run(twins.sign({ to: probe, data: call('recurse', 60n), gasLimit: 900_000 }))
    await probeCall('grow', 100_000n)
    await probeCall('grow', 10_000_000n)
    await probeCall('inspect', alice)
    await probeCall('inspect', probe)
    await probeCall('inspect', `0x${'dd'.repeat(20)}`)
  })

  it('creation: CREATE, CREATE2, collisions, failed deploys, self-destruction', async () => {
    await twins.run(twins.sign({ to: probe, data: call('spawn', 1n, 5n), value: 1_000n }))
    await twins.run(twins.sign({ to: probe, data: call('spawn', 1n, 5n), value: 1_000n }))
    const child = await twins.run(twins.sign({ to: probe, data: call('spawn', 2n, 5n), value: 1_000n }))
    await probeCall('spawnPlain', 3n)
    await probeCall('spawnPlain', 13n)
    await probeCall('trySpawn', 13n)
    await twins.run(twins.sign({ to: probe, data: call('spawnAndDestroy', strangers[0]!), value: 99n }))
    await twins.run(twins.sign({ to: probe, data: call('spawnAndDestroy', probe), value: 99n }))
    const address = `0x${child.logs.at(-1)!.topics[1]!.slice(26)}` as Address
    await probeCall('destroyChild', address, strangers[1]!)
    await probeCall('destroyChild', address, address)
    await probeCall('send', address, 5n)
    await probeCall('send', `0x${'cc'.repeat(20)}`, 5n)
    await probeCall('send', `0x${'cb'.repeat(20)}`, 10n ** 30n)
    for (const init of [
      '0x',
      '0x00',
      '0xfe',
      '0x60ef5f5360015ff3',
      '0x615fff5ff3',
      '0x6160015ff3',
      '0x5f5ffd',
    ] as const)
      await twins.run(twins.sign({ to: null, data: hexToBytes(init), gasLimit: 6_000_000, value: 1n }))
    await twins.run(twins.sign({ to: null, data: hexToBytes('0x6120005ff3'), gasLimit: 100_000 }))
  })

  it('precompiles, with good and bad input', async () => {
    for (const { address, input } of precompileInputs())
      await twins.run(
        twins.sign({ to: probe, data: call('precompile', address, bytesToHex(input), 300_000n), gasLimit: 1_500_000 }),
      )
  })

  it('delegations (type 4): set, use, replace, clear, and those that do not count', async () => {
    const authorize = (key: Uint8Array, address: Address, change: { nonce?: number; chainId?: number } = {}) => ({
      chainId,
      nonce: twins.takeNonce(addressOfPrivateKey(key)),
      address,
      authorityKey: key,
      ...change,
    })
    const set = (authorizations: UnsignedTransaction['authorizations'], to: Address = bob, data = call('authorized')) =>
      twins.run(twins.sign({ type: 4, to, data, value: 4n, ...(authorizations && { authorizations }) }))
    await set([authorize(keys[1]!, probe)])
    await twins.run(twins.sign({ to: bob, data: call('authorized'), value: 6n }))
    await twins.run(twins.sign({ key: keys[1]!, to: carol, value: 8n, gasLimit: 21_000 }))
    await probeCall('inspect', bob)
    await probeCall('send', bob, 1n)
    await set([authorize(keys[2]!, probe), { chainId: 1, nonce: 0, address: probe, authorityKey: keys[3]! }], carol)
    await set([{ chainId: 0, nonce: 9, address: probe, authorityKey: keys[3]! }], dave, new Uint8Array(0))
    await set([authorize(keys[1]!, carol)])
    await set([authorize(keys[1]!, `0x${'00'.repeat(20)}` as Hex)])
    await twins.run(twins.sign({ to: bob, data: call('authorized') }))
    const unknown = uintToBytes(987654321, 32)
    // It gets a wei first: anvil refunds for authorities that do not exist yet as well, against EIP-7702.
    await twins.run(twins.sign({ to: addressOfPrivateKey(unknown), value: 1n, gasLimit: 21_000 }))
    await set([{ chainId: 0, nonce: 0, address: probe, authorityKey: unknown }], addressOfPrivateKey(unknown))
    // The sender delegates itself: its authorization comes after the nonce of the transaction.
    const nonce = twins.takeNonce(alice)
    const authorizations = [authorize(keys[0]!, probe)]
    await twins.run(twins.sign({ type: 4, to: alice, nonce, data: call('authorized'), authorizations }))
    await twins.run(twins.sign({ to: carol, value: 1n, gasLimit: 21_000 }))
  })
})
