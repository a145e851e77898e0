import { afterAll, beforeAll, expect, it } from 'vitest'
import { blsSignatureFromEip2537 } from '../../src/base/crypto/bls.js'
import { bytesToHex, hexToBytes } from '../../src/base/primitives/bytes.js'
import { attestationDigest } from '../../src/base/protocol/batch-attestation.js'
import { verifyQuorum } from '../../src/base/protocol/quorum-certificate.js'
import { createWorkerKzg } from '../../src/io/kzg/worker-kzg.js'
import { registryAbi } from '../../src/io/l1/contract-abis.js'
import { createViemL1Reader } from '../../src/io/l1/reader/viem-l1-reader.js'
import { type Commit, type CommitCall, L1Batches } from './l1-batches.js'
import { RunningDevnet, until } from './running-devnet.js'
import { SteadyLoad } from './steady-load.js'

type Hex = `0x${string}`
let devnet: RunningDevnet
let load: SteadyLoad
let l1: L1Batches
let commits: Commit[]

beforeAll(async () => {
  devnet = await RunningDevnet.start()
  load = SteadyLoad.start(devnet, { perSecond: 8 })
  l1 = new L1Batches(devnet)
  commits = await l1.untilCommitted(2)
})
afterAll(async () => {
  await load?.stop()
  await devnet?.destroy()
})

it('each batch on L1 carries the signature of a quorum, by the contract and by this code, and is what every node sealed', async () => {
  const { contracts } = devnet.json
  const kzg = createWorkerKzg()
  const reader = createViemL1Reader({ config: { rpcUrl: devnet.json.l1.rpcUrl, contracts }, ports: { kzg } })
  const set = (await reader.sequencerSet(1))!
  await kzg.close()
  const domain = { l1ChainId: devnet.json.l1.chainId, rollup: contracts.rollup }
  for (const { batchIndex, batchHash, absent, args } of commits) {
    const signature = args[2]
    const digest = attestationDigest(domain, { batchIndex, batchHash })
    const verify = (changed: Hex) =>
      l1.client.readContract({
        address: contracts.registry,
        abi: registryAbi,
        functionName: 'verify',
        args: [1n, bytesToHex(digest), absent, changed],
      })
    expect(await verify(signature)).toBe(true)
    expect(await verify(flip(signature)).catch(() => false)).toBe(false)
    const compressed = blsSignatureFromEip2537(hexToBytes(signature))
    expect(verifyQuorum({ set, absent, digest, signature: compressed }).ok).toBe(true)
    for (const node of devnet.json.nodes)
      await until(`batch ${batchIndex} at ${node.name}`, 30_000, async () => {
        const known = await l1.batch(node, batchIndex)
        if (known) expect(known.batchHash).toBe(batchHash)
        return known?.status === 'committed' || known?.status === 'finalized'
      })
  }
})

it('L1 refuses a batch with anything changed, by the name of what is wrong', async () => {
  const commit = commits[1]!
  const { args, from, blobVersionedHashes, blockNumber } = commit
  const [header, absent, signature] = args
  const before = { from, blobVersionedHashes, afterBlock: blockNumber - 1 }
  const ask = (change: Partial<typeof header>) =>
    l1.refusal({ ...before, args: [{ ...header, ...change }, absent, signature] as CommitCall })
  expect(await ask({})).toBeNull()

  const names = {
    version: await ask({ version: header.version ^ 2 }),
    batchIndex: await ask({ batchIndex: header.batchIndex + 1n }),
    parentBatchHash: await ask({ parentBatchHash: flip(header.parentBatchHash) }),
    setId: await ask({ setId: header.setId + 1n }),
    oldSet: await ask({ setId: 0n }),
    firstBlock: await ask({ firstBlock: header.firstBlock + 1n }),
    lastBlock: await ask({ lastBlock: header.lastBlock + 1n }),
    noBlocks: await ask({ lastBlock: header.firstBlock - 1n }),
    lastBlockHash: await ask({ lastBlockHash: flip(header.lastBlockHash) }),
    postStateRoot: await ask({ postStateRoot: flip(header.postStateRoot) }),
    withdrawalRoot: await ask({ withdrawalRoot: flip(header.withdrawalRoot) }),
    messagesConsumed: await ask({ messagesConsumed: header.messagesConsumed + 1_000n }),
    messagesRollingHash: await ask({ messagesRollingHash: flip(header.messagesRollingHash) }),
    timestamp: await ask({ timestamp: header.timestamp + 1n }),
    blobHashesHash: await ask({ blobHashesHash: flip(header.blobHashesHash) }),
    blob: await l1.refusal({ ...before, args, blobVersionedHashes: blobVersionedHashes.map(flip) }),
    noBlob: await l1.refusal({ ...before, args, blobVersionedHashes: [] }),
    signature: await l1.refusal({ ...before, args: [header, absent, flip(signature)] }),
    otherAbsent: await l1.refusal({ ...before, args: [header, absent === 0n ? 1n : 0n, signature] }),
    twoAbsent: await l1.refusal({ ...before, args: [header, 3n, signature] }),
    noMember: await l1.refusal({ ...before, args: [header, 16n, signature] }),
    again: await l1.refusal({ ...before, args, afterBlock: blockNumber }),
    stranger: await l1.refusal({ ...before, args, from: devnet.json.accounts[0]!.address }),
  }
  expect(names).toEqual({
    version: 'WrongVersion',
    batchIndex: 'WrongBatchIndex',
    parentBatchHash: 'WrongParent',
    setId: 'UnknownSet',
    oldSet: 'SetNotActive',
    firstBlock: 'WrongFirstBlock',
    lastBlock: 'SignatureInvalid',
    noBlocks: 'NoBlocks',
    lastBlockHash: 'SignatureInvalid',
    postStateRoot: 'SignatureInvalid',
    withdrawalRoot: 'SignatureInvalid',
    messagesConsumed: 'MessagesNotEnqueued',
    messagesRollingHash: 'WrongRollingHash',
    timestamp: 'SignatureInvalid',
    blobHashesHash: 'BlobHashMismatch',
    blob: 'BlobHashMismatch',
    noBlob: 'NoBlobs',
    signature: 'SignatureInvalid',
    otherAbsent: 'SignatureInvalid',
    twoAbsent: 'QuorumNotReached',
    noMember: 'AbsentOutOfRange',
    again: 'WrongBatchIndex',
    stranger: 'NotYourTurn',
  })
})

it('the safe and the finalized label follow at every node', async () => {
  const finalized = await until('a final batch', 90_000, async () => (await l1.events('BatchFinalized')).at(-1)?.args)
  for (const node of devnet.json.nodes) {
    const last = async (index: number) => Number((await l1.batch(node, index))!.header.lastBlock)
    const labelled = async (tag: string) =>
      Number((await devnet.rpc<{ number: Hex }>(node, 'eth_getBlockByNumber', [tag, false])).number)
    const safe = await last(commits.at(-1)!.batchIndex)
    await until(`the safe label at ${node.name}`, 30_000, async () => (await labelled('safe')) >= safe)
    const final = await last(Number(finalized.batchIndex))
    await until(`the finalized label at ${node.name}`, 30_000, async () => (await labelled('finalized')) >= final)
    expect(await labelled('finalized')).toBeLessThanOrEqual(await labelled('safe'))
    expect(await labelled('safe')).toBeLessThanOrEqual(await devnet.height(node))
  }
})

it('blocks go on while L1 does not answer, and batches after', async () => {
  const committed = (await l1.commits()).length
  const pid = devnet.l1Pid()
  process.kill(pid, 'SIGSTOP')
  const height = await devnet.height()
  try {
    await until('blocks without L1', 90_000, async () => (await devnet.height()) > height + 40)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await l1.untilCommitted(committed + 1)
})

/** The last bit turned. */
function flip(value: Hex): Hex {
  return `${value.slice(0, -1)}${(Number.parseInt(value.at(-1)!, 16) ^ 1).toString(16)}` as Hex
}
