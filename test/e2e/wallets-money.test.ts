import { readFileSync } from 'node:fs'
import path from 'node:path'
import { bls12_381 } from '@noble/curves/bls12-381'
import { type Hex, hashTypedData, hexToBytes, type Log, parseAbi, parseEther, parseEventLogs, toRlp } from 'viem'
import { keccak256 } from 'viem/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { feeVaultAddress } from '../../src/base/protocol/protocol-parameters.js'
import { type ContractArtifact, factoryArtifact, pairArtifact, tokenArtifact } from '../fixtures/contract-artifacts.js'
import { ViemWallet } from '../fixtures/viem-wallet.js'
import { RunningDevnet, until } from './running-devnet.js'

const depositor = '0x00000000000000000000000000000000000de905'
const messageQueue: ContractArtifact = {
  abi: parseAbi(['function depositETH(address to) payable']),
  bytecode: '0x',
}

let devnet: RunningDevnet

beforeAll(async () => {
  devnet = await RunningDevnet.start()
})
afterAll(() => devnet?.destroy())

const l2Of = (index: number) =>
  new ViemWallet({
    chainId: devnet.json.l2.chainId,
    rpcUrl: devnet.full.rpcUrl,
    privateKey: devnet.json.accounts[index]!.privateKey,
  })
const l1Of = (index: number) =>
  new ViemWallet({
    chainId: devnet.json.l1.chainId,
    rpcUrl: devnet.json.l1.rpcUrl,
    privateKey: devnet.json.accounts[index]!.privateKey,
  })
const ask = <Answer>(method: string, ...params: unknown[]) => devnet.rpc<Answer>(devnet.full, method, params)

describe('Uniswap v2', () => {
  it('makes a pair, takes liquidity, swaps', async () => {
    const trader = l2Of(0)
    const [first, second] = [await trader.deploy(tokenArtifact), await trader.deploy(tokenArtifact)]
    const factory = await trader.deploy(factoryArtifact, [trader.address])
    await trader.write(factoryArtifact, factory, 'createPair', [first, second])
    const pair = (await trader.read(factoryArtifact, factory, 'getPair', [first, second])) as Hex
    const [token0, token1] = [
      await trader.read(pairArtifact, pair, 'token0'),
      await trader.read(pairArtifact, pair, 'token1'),
    ] as [Hex, Hex]
    await trader.write(tokenArtifact, token0, 'transfer', [pair, 1_000_000n])
    await trader.write(tokenArtifact, token1, 'transfer', [pair, 4_000_000n])
    await trader.write(pairArtifact, pair, 'mint', [trader.address])
    // sqrt(1e6 * 4e6), less the thousand that the first provider gives up.
    expect(await trader.read(pairArtifact, pair, 'balanceOf', [trader.address])).toBe(2_000_000n - 1_000n)

    await trader.write(tokenArtifact, token0, 'transfer', [pair, 10_000n])
    const out = (10_000n * 997n * 4_000_000n) / (1_000_000n * 1_000n + 10_000n * 997n)
    await expect(trader.write(pairArtifact, pair, 'swap', [0n, out + 1n, depositor, '0x'])).rejects.toThrow(
      'UniswapV2: K',
    )
    // With gas of its own: an estimate in the second of the last swap does not see the price update that a later one pays for.
    const swapped = await trader.write(pairArtifact, pair, 'swap', [0n, out, depositor, '0x'], 300_000n)
    expect(swapped.status).toBe('success')
    expect(await trader.read(tokenArtifact, token1, 'balanceOf', [depositor])).toBe(out)
    const logs = parseEventLogs({ abi: pairArtifact.abi, logs: swapped.logs as Log[], eventName: ['Sync', 'Swap'] })
    expect(logs).toMatchObject([
      { eventName: 'Sync', args: { reserve0: 1_010_000n, reserve1: 4_000_000n - out } },
      { eventName: 'Swap', args: { amount0In: 10_000n, amount1In: 0n, amount0Out: 0n, amount1Out: out } },
    ])
  })
})

interface Member {
  readonly index: Hex
  readonly publicKey: Hex
  readonly power: Hex
}
interface SetAnswer {
  readonly setId: Hex
  readonly activeFrom: Hex
  readonly totalPower: Hex
  readonly members: readonly Member[]
}

interface BatchAnswer {
  readonly header: { readonly batchIndex: Hex; readonly lastBlock: Hex }
  readonly batchHash: Hex
  readonly certificate: { readonly absent: Hex; readonly signature: Hex }
  readonly l1TransactionHash: Hex
  readonly l1BlockNumber: Hex
}

/** Checks an aggregated signature with another library than the node's, as protocol.md section 1 has it. */
function verifies({
  set,
  absent,
  digest,
  signature,
}: {
  set: SetAnswer
  absent: Hex
  digest: Hex
  signature: Hex
}): boolean {
  const signers = set.members.filter(({ index }) => ((BigInt(absent) >> BigInt(index)) & 1n) === 0n)
  const power = signers.reduce((sum, member) => sum + BigInt(member.power), 0n)
  if (power * 3n <= BigInt(set.totalPower) * 2n) return false
  const point = bls12_381.G2.hashToCurve(hexToBytes(digest), { DST: 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_' })
  const key = bls12_381.aggregatePublicKeys(signers.map(({ publicKey }) => publicKey.slice(2)))
  return bls12_381.verify(
    bls12_381.G2.ProjectivePoint.fromHex(signature.slice(2)),
    bls12_381.G2.ProjectivePoint.fromAffine(point.toAffine()),
    bls12_381.G1.ProjectivePoint.fromHex(key),
  )
}

const uint = { type: 'uint64' } as const
describe('the morphism_ methods (protocol.md section 9)', () => {
  const quantity = expect.stringMatching(/^0x(0|[1-9a-f][0-9a-f]*)$/)
  const hash = expect.stringMatching(/^0x[0-9a-f]{64}$/)
  const signature = expect.stringMatching(/^0x[0-9a-f]{192}$/)
  const domain = () => ({
    name: 'Morphism',
    version: '1',
    chainId: devnet.json.l1.chainId,
    verifyingContract: devnet.json.contracts.rollup,
  })

  it('give certificates that another BLS library verifies', async () => {
    const certificate = await ask<Record<string, Hex>>('morphism_getCertificate', '0x2')
    expect(certificate).toStrictEqual({
      height: '0x2',
      round: quantity,
      blockHash: hash,
      setId: '0x1',
      absent: quantity,
      signature,
    })
    const set = await ask<SetAnswer>('morphism_sequencerSet', '0x2')
    const address = expect.stringMatching(/^0x[0-9a-f]{40}$/)
    expect(set).toStrictEqual({
      setId: '0x1',
      activeFrom: quantity,
      totalPower: quantity,
      members: [0, 1, 2, 3].map(index => ({
        index: `0x${index}`,
        operator: address,
        publicKey: expect.stringMatching(/^0x[0-9a-f]{96}$/),
        power: quantity,
        feeRecipient: address,
      })),
    })
    const digest = hashTypedData({
      domain: domain(),
      types: {
        Vote: [
          { name: 'height', ...uint },
          { name: 'round', type: 'uint32' },
          { name: 'step', type: 'uint8' },
          { name: 'blockHash', type: 'bytes32' },
        ],
      },
      primaryType: 'Vote',
      message: { height: 2n, round: Number(certificate.round), step: 2, blockHash: certificate.blockHash as Hex },
    })
    const proof = { set, absent: certificate.absent!, digest, signature: certificate.signature! }
    expect(verifies(proof)).toBe(true)
    expect(verifies({ ...proof, digest: keccak256(digest) })).toBe(false)
    const block = await ask<{ hash: Hex }>('eth_getBlockByNumber', '0x2', false)
    expect(block.hash).toBe(certificate.blockHash)
    expect(await ask('morphism_getCertificate', block.hash)).toStrictEqual(certificate)
    expect(await ask('morphism_getCertificate', '0xffffff')).toBeNull()
  })

  it('give the context whose hash the block carries', async () => {
    const context = await ask<Record<string, Hex>>('morphism_getContext', '0x2')
    expect(context).toStrictEqual({
      version: '0x1',
      setId: '0x1',
      proposerIndex: quantity,
      timestampMs: quantity,
      l1OriginNumber: quantity,
      l1OriginHash: hash,
      messagesConsumed: quantity,
      inboxRoot: hash,
      hash,
    })
    const { hash: contextHash, ...fields } = context
    const bare = (value: Hex): Hex => (value === '0x0' ? '0x' : value.length % 2 ? `0x0${value.slice(2)}` : value)
    expect(keccak256(toRlp(Object.values(fields).map(bare)))).toBe(contextHash)
    expect(await ask('eth_getBlockByNumber', '0x2', false)).toMatchObject({ parentBeaconBlockRoot: contextHash })
  })

  it('give batches as L1 has them', async () => {
    const batch = await until('a committed batch', 90_000, async () => {
      const found = await ask<BatchAnswer>('morphism_getBatch', 'committed')
      return Number(found.header.batchIndex) > 0 && found
    })
    expect(batch).toStrictEqual({
      header: {
        version: '0x1',
        batchIndex: quantity,
        parentBatchHash: hash,
        setId: '0x1',
        firstBlock: quantity,
        lastBlock: quantity,
        lastBlockHash: hash,
        postStateRoot: hash,
        withdrawalRoot: hash,
        messagesConsumed: quantity,
        messagesRollingHash: hash,
        timestamp: quantity,
        blobHashesHash: hash,
      },
      batchHash: hash,
      certificate: { absent: quantity, signature },
      status: expect.stringMatching(/^(committed|finalized)$/),
      l1TransactionHash: hash,
      l1BlockNumber: quantity,
    })
    const digest = hashTypedData({
      domain: domain(),
      types: {
        BatchAttestation: [
          { name: 'batchIndex', ...uint },
          { name: 'batchHash', type: 'bytes32' },
        ],
      },
      primaryType: 'BatchAttestation',
      message: { batchIndex: BigInt(batch.header.batchIndex), batchHash: batch.batchHash },
    })
    const set = await ask<SetAnswer>('morphism_sequencerSet', batch.header.lastBlock)
    expect(verifies({ set, digest, ...batch.certificate })).toBe(true)
    const receipt = await l1Of(0).reader.getTransactionReceipt({ hash: batch.l1TransactionHash })
    expect(receipt).toMatchObject({ status: 'success', type: 'eip4844', blockNumber: BigInt(batch.l1BlockNumber) })
    expect(await ask('morphism_getBatch', batch.header.batchIndex)).toMatchObject({ batchHash: batch.batchHash })
    expect(await ask('morphism_getBatch', '0x0')).toMatchObject({ status: 'finalized', certificate: null })
    expect(await ask('morphism_getBatch', '0xffffff')).toBeNull()
    const safe = await until('the safe head', 30_000, async () => {
      const block = await ask<{ number: Hex }>('eth_getBlockByNumber', 'safe', false)
      return Number(block.number) >= Number(batch.header.lastBlock)
    })
    expect(safe).toBe(true)
  })

  it('give the status of a node', async () => {
    expect(await ask('morphism_nodeStatus')).toStrictEqual({
      role: 'full',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      ready: true,
      syncing: false,
      readyToLead: false,
      notReadyToLead: ['NOT_A_SEQUENCER'],
      protocolVersion: '0x1',
      upgrade: null,
      height: quantity,
      round: quantity,
      step: 'follow',
      proposer: null,
      setId: '0x1',
      peers: '0x4',
      latestBatch: quantity,
      committedBatch: quantity,
      finalizedBatch: quantity,
      l1Origin: { number: quantity, hash },
      signing: null,
    })
    expect(await devnet.rpc(devnet.sequencers[0]!, 'morphism_nodeStatus')).toMatchObject({
      role: 'sequencer',
      step: expect.stringMatching(/^(new-height|propose|prevote|precommit|commit)/),
      proposer: expect.stringMatching(/^0x[0-9a-f]{40}$/),
      signing: 'active',
    })
  })
})

describe('ETH', () => {
  it('deposited on L1 shows on L2 once, also after restarts', async () => {
    const { messageQueue: to } = devnet.json.contracts
    await l1Of(1).mined(
      await l1Of(1).wallet.writeContract({
        abi: messageQueue.abi,
        address: to,
        functionName: 'depositETH',
        args: [depositor],
        value: parseEther('1'),
      }),
    )
    const balance = async () => BigInt(await ask<Hex>('eth_getBalance', depositor, 'latest'))
    await until('the deposit', 90_000, async () => (await balance()) > 0n)
    expect(await balance()).toBe(parseEther('1'))
    await restart()
    expect(await balance()).toBe(parseEther('1'))
    await restart()
    expect(await balance()).toBe(parseEther('1'))
    // The chain goes on, and what came from L1 can be spent: the network follows the same queue.
    await l2Of(2).mined(await l2Of(2).wallet.sendTransaction({ to: depositor, value: 1n }))
    expect(await balance()).toBe(parseEther('1') + 1n)
  })

  it('is conserved: what genesis and deposits brought is in accounts, or a base fee on its way to the FeeVault', async () => {
    const { reader } = l2Of(0)
    const head = await reader.getBlock()
    const touched = new Set<string>([feeVaultAddress, ...genesisAccounts().keys()])
    let brought = [...genesisAccounts().values()].reduce((sum, balance) => sum + balance, 0n)
    let [deposits, recycled, burned] = [0n, 0n, 0n]
    for (let number = 1n; number <= head.number; number++) {
      const block = await reader.getBlock({ blockNumber: number, includeTransactions: true })
      touched.add(block.miner)
      for (const { address, amount, validatorIndex } of block.withdrawals ?? []) {
        touched.add(address)
        if (validatorIndex === '0x0') deposits += BigInt(amount) * 10n ** 9n
        else recycled += BigInt(amount) * 10n ** 9n
      }
      for (const { from, to } of block.transactions) for (const address of [from, to]) if (address) touched.add(address)
      burned += (block.baseFeePerGas ?? 0n) * block.gasUsed
    }
    brought += deposits
    expect(deposits).toBe(parseEther('1'))
    let held = 0n
    for (const address of new Set([...touched].map(text => text.toLowerCase() as Hex)))
      held += await reader.getBalance({ address, blockNumber: head.number })
    const onItsWay = burned - recycled
    expect(recycled).toBeGreaterThan(0n)
    expect(await reader.getBalance({ address: feeVaultAddress, blockNumber: head.number })).toBe(recycled)
    expect(onItsWay).toBeLessThan(10n ** 9n + (head.baseFeePerGas ?? 0n) * head.gasUsed)
    expect(brought - held).toBe(onItsWay)
    // L1 holds every ether of L2.
    const onL1 = await l1Of(0).reader.getBalance({ address: devnet.json.contracts.messageQueue })
    expect(onL1).toBe(brought)
  })
})

async function restart(): Promise<void> {
  const height = await devnet.height()
  expect(await devnet.stop()).toEqual({ code: 0, left: [] })
  devnet = await RunningDevnet.start({ again: devnet })
  await until('new blocks', 60_000, async () => (await devnet.height()) > height)
}

function genesisAccounts(): Map<string, bigint> {
  const file = JSON.parse(readFileSync(path.join(devnet.dataDir, 'network.json'), 'utf8')) as {
    l2: { genesis: { alloc: Record<string, { balance: string }> } }
  }
  return new Map(Object.entries(file.l2.genesis.alloc).map(([address, { balance }]) => [address, BigInt(balance)]))
}
