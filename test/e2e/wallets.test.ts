import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import {
  Contract,
  ContractFactory,
  type EventLog,
  encodeRlp,
  JsonRpcProvider,
  Transaction,
  Wallet,
  WebSocketProvider,
} from 'ethers'
import { createPublicClient, type Hex, keccak256, parseEther, parseGwei, toHex, webSocket } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { castBinary, tokenArtifact } from '../fixtures/contract-artifacts.js'
import { ViemWallet } from '../fixtures/viem-wallet.js'
import { RunningDevnet, until } from './running-devnet.js'

const run = promisify(execFile)
const stranger = '0x00000000000000000000000000000000000a11ce'

let devnet: RunningDevnet
let rpcUrl: string
let wsUrl: string

beforeAll(async () => {
  devnet = await RunningDevnet.start()
  ;({ rpcUrl, wsUrl } = devnet.full)
})
afterAll(() => devnet?.destroy())

const key = (index: number) => devnet.json.accounts[index]!.privateKey
const viemOf = (index: number) => new ViemWallet({ chainId: devnet.json.l2.chainId, rpcUrl, privateKey: key(index) })

/** A JSON-RPC answer as it is on the wire. */
async function rawCall<Result = Record<string, unknown>>(
  method: string,
  params: readonly unknown[] = [],
): Promise<{ result: Result | null; error?: { code: number; message: string } }> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  return (await response.json()) as { result: Result | null; error?: { code: number; message: string } }
}

describe("Foundry's cast", () => {
  const cast = async (...args: string[]) =>
    (await run(castBinary, args, { env: { ...process.env, ETH_RPC_URL: rpcUrl }, timeout: 60_000 })).stdout.trim()

  it('sends ETH, deploys, calls, reads logs, estimates', async () => {
    expect(await cast('chain-id')).toBe('42069')
    const sent = JSON.parse(await cast('send', '--private-key', key(0), '--json', stranger, '--value', '1ether')) as {
      status: string
      from: string
    }
    expect(sent).toMatchObject({ status: '0x1', from: devnet.json.accounts[0]!.address })
    expect(await cast('balance', stranger)).toBe(parseEther('1').toString())

    const deployed = JSON.parse(
      await cast('send', '--private-key', key(0), '--json', '--create', tokenArtifact.bytecode),
    ) as { contractAddress: Hex }
    const token = deployed.contractAddress
    await cast('send', '--private-key', key(0), token, 'transfer(address,uint256)', stranger, '42')
    expect(await cast('call', token, 'balanceOf(address)(uint256)', stranger)).toBe('42')
    const logs = JSON.parse(
      await cast('logs', '--json', '--from-block', 'earliest', '--address', token, 'Transfer(address,address,uint256)'),
    ) as { data: Hex }[]
    expect(logs.map(({ data }) => BigInt(data))).toEqual([10n ** 30n, 42n])
    expect(await cast('estimate', stranger, '--value', '1wei')).toBe('21000')
    expect(await cast('code', token)).toMatch(/^0x60/)
    expect(await cast('block', 'latest', '--field', 'gasLimit')).toBe('30000000')
    const legacy = await cast('send', '--private-key', key(0), '--legacy', '--json', stranger, '--value', '1')
    expect(JSON.parse(legacy)).toMatchObject({ status: '0x1', type: '0x0' })
  })

  it('subscribes to logs over WebSocket', async () => {
    const deployed = JSON.parse(
      await cast('send', '--private-key', key(0), '--json', '--create', tokenArtifact.bytecode),
    ) as { contractAddress: Hex }
    const token = deployed.contractAddress
    const listener = spawn(
      castBinary,
      ['logs', '--subscribe', '--rpc-url', wsUrl, '--address', token, 'Transfer(address,address,uint256)'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let heard = ''
    listener.stdout.on('data', chunk => {
      heard += chunk
    })
    try {
      // Until the subscription stands its start is not told, so transfers go on until one is heard.
      await until('a log that cast heard', 60_000, async () => {
        await cast('send', '--private-key', key(0), token, 'transfer(address,uint256)', stranger, '77')
        return heard.includes('data')
      })
    } finally {
      listener.kill()
    }
    expect(heard.toLowerCase()).toContain(token.toLowerCase())
    expect(heard).toContain(toHex(77, { size: 32 }))
  })
})

describe('viem', () => {
  it('sends types 0, 1, 2 and 4; receipts and transactions say which', async () => {
    const sender = viemOf(1)
    const { wallet, reader, address } = sender
    const mined = (hash: Hex) => sender.mined(hash)
    const request = { to: stranger, value: 5n } as const
    const hashes = [
      await wallet.sendTransaction({ ...request, type: 'legacy' }),
      await wallet.sendTransaction({
        ...request,
        type: 'eip2930',
        accessList: [{ address: stranger, storageKeys: [] }],
      }),
      await wallet.sendTransaction({ ...request, type: 'eip1559' }),
    ]
    const receipts = await Promise.all(hashes.map(mined))
    expect(receipts.map(({ type, status }) => `${type} ${status}`)).toEqual([
      'legacy success',
      'eip2930 success',
      'eip1559 success',
    ])
    // EIP-7702: the account runs Multicall3's code from then on.
    const delegate = viemOf(2)
    const authorization = await delegate.wallet.signAuthorization({
      contractAddress: '0xcA11bde05977b3631167028862bE2a173976CA11',
    })
    const delegated = await mined(
      await wallet.sendTransaction({
        to: delegate.address,
        data: '0x42cbb15c', // getBlockNumber()
        authorizationList: [authorization],
      }),
    )
    expect(delegated).toMatchObject({ type: 'eip7702', status: 'success' })
    expect(await reader.getCode({ address: delegate.address })).toBe('0xef0100ca11bde05977b3631167028862be2a173976ca11')
    const seen = await reader.getTransaction({ hash: delegated.transactionHash })
    expect(seen).toMatchObject({ type: 'eip7702', from: address.toLowerCase() })
    expect(seen.authorizationList).toHaveLength(1)
  })

  it('refuses blob transactions, bare and with a sidecar', async () => {
    const bare = await new Wallet(key(3)).signTransaction({
      type: 3,
      chainId: 42069,
      nonce: 0,
      to: stranger,
      gasLimit: 21_000,
      maxFeePerGas: parseGwei('10'),
      maxPriorityFeePerGas: 1n,
      maxFeePerBlobGas: 1n,
      blobVersionedHashes: [`0x01${'ab'.repeat(31)}`],
    })
    expect(Transaction.from(bare).type).toBe(3)
    const { error } = await rawCall('eth_sendRawTransaction', [bare])
    expect(error).toMatchObject({ code: -32000, message: expect.stringMatching(/^transaction type not supported/) })
    const fields = [bare, '0x', '0x', '0x'].map(() => '0x')
    const wrapped = `0x03${encodeRlp([fields, [], [], []]).slice(2)}`
    expect((await rawCall('eth_sendRawTransaction', [wrapped])).error).toMatchObject({ code: -32000 })
  })

  it('deploys, reads events, fees, proofs, every tag; multicall, Permit2 and the CREATE2 deployer answer', async () => {
    const owner = viemOf(1)
    const { reader, wallet } = owner
    const token = await owner.deploy(tokenArtifact)
    const receipt = await owner.write(tokenArtifact, token, 'transfer', [stranger, 7n])
    const events = await reader.getContractEvents({
      abi: tokenArtifact.abi,
      address: token,
      eventName: 'Transfer',
      fromBlock: receipt.blockNumber,
    })
    expect(events).toMatchObject([{ args: { to: '0x00000000000000000000000000000000000A11cE', value: 7n } }])
    const [mine, theirs] = await reader.multicall({
      allowFailure: false,
      contracts: [owner.address, stranger].map(who => ({
        abi: tokenArtifact.abi,
        address: token,
        functionName: 'balanceOf',
        args: [who],
      })),
    })
    expect([mine, theirs]).toEqual([10n ** 30n - 7n, 7n])

    const history = await reader.getFeeHistory({ blockCount: 4, rewardPercentiles: [10, 90] })
    expect(history.baseFeePerGas).toHaveLength(history.gasUsedRatio.length + 1)
    expect(history.reward).toHaveLength(history.gasUsedRatio.length)
    const fees = await reader.estimateFeesPerGas()
    expect(fees.maxFeePerGas).toBeGreaterThan(0n)
    const { stateRoot } = await reader.getBlock({ blockNumber: receipt.blockNumber })
    const totalSupply = toHex(2, { size: 32 })
    const proof = await reader.getProof({
      address: token,
      storageKeys: [totalSupply],
      blockNumber: receipt.blockNumber,
    })
    expect(keccak256(proof.accountProof[0]!)).toBe(stateRoot)
    expect(keccak256(proof.storageProof[0]!.proof[0]!)).toBe(proof.storageHash)
    expect(proof.storageProof[0]).toMatchObject({ value: 10n ** 30n })

    const numbers: Record<string, bigint> = {}
    for (const blockTag of ['earliest', 'finalized', 'safe', 'latest', 'pending'] as const)
      numbers[blockTag] = (await reader.getBlock({ blockTag })).number ?? -1n
    expect(numbers.earliest).toBe(0n)
    expect(numbers.finalized).toBeLessThanOrEqual(numbers.safe!)
    expect(numbers.safe).toBeLessThanOrEqual(numbers.latest!)
    expect(numbers.latest).toBeGreaterThanOrEqual(receipt.blockNumber)
    expect(numbers.pending).toBeGreaterThanOrEqual(numbers.latest!)

    const separator = await reader.call({ to: '0x000000000022D473030F116dDEE9F6B43aC78BA3', data: '0x3644e515' })
    expect(separator.data).toMatch(/^0x[0-9a-f]{64}$/)
    // The deployer answers with the address where EIP-1014 puts the code.
    const code = '0x6001600c60003960016000f300' as const
    const made = await owner.mined(
      await wallet.sendTransaction({
        to: '0x4e59b44847b379578588920cA78FbF26c0B4956C',
        data: `${toHex(9, { size: 32 })}${code.slice(2)}`,
      }),
    )
    const address = keccak256(
      `0xff4e59b44847b379578588920ca78fbf26c0b4956c${toHex(9, { size: 32 }).slice(2)}${keccak256(code).slice(2)}`,
    )
    expect(made.status).toBe('success')
    expect(await reader.getCode({ address: `0x${address.slice(-40)}` })).toBe('0x00')
  })

  it('subscribes over WebSocket to heads, logs and pending transactions', async () => {
    const owner = viemOf(1)
    const token = await owner.deploy(tokenArtifact)
    const socket = createPublicClient({ chain: owner.chain, transport: webSocket(wsUrl) })
    const [heads, pending, logs]: [bigint[], Hex[], unknown[]] = [[], [], []]
    const unwatch = [
      socket.watchBlocks({ onBlock: block => heads.push(block.number) }),
      socket.watchPendingTransactions({ onTransactions: hashes => pending.push(...hashes), batch: false }),
      socket.watchContractEvent({ abi: tokenArtifact.abi, address: token, onLogs: found => logs.push(...found) }),
    ]
    // Subscribed once a head arrives: the three were asked for in this order on one connection.
    await owner.mined(await owner.wallet.sendTransaction({ to: stranger, value: 1n }))
    await until('a head over WebSocket', 30_000, async () => heads.length > 0)
    const hash = await owner.wallet.writeContract({
      abi: tokenArtifact.abi,
      address: token,
      functionName: 'transfer',
      args: [stranger, 3n],
    })
    const { blockNumber } = await owner.mined(hash)
    await until(
      'its head, log and pending hash',
      30_000,
      async () => heads.includes(blockNumber) && logs.length > 0 && pending.includes(hash),
    )
    expect(logs).toMatchObject([{ transactionHash: hash, blockNumber, args: { value: 3n } }])
    expect(heads).toEqual([...heads].sort((a, b) => Number(a - b)))
    for (const stop of unwatch) stop()
    await (await socket.transport.getRpcClient()).close()
  })
})

describe('ethers', () => {
  it('sends ETH, deploys, calls, reads and hears logs', async () => {
    // It would else give what it read 250 ms ago, which is blocks ago: a nonce that was used since.
    const provider = new JsonRpcProvider(rpcUrl, undefined, { pollingInterval: 50, cacheTimeout: -1 })
    const wallet = new Wallet(key(4), provider)
    const before = await provider.getBalance(stranger)
    const sent = await (await wallet.sendTransaction({ to: stranger, value: 11n })).wait()
    expect(sent?.status).toBe(1)
    expect((await provider.getBalance(stranger)) - before).toBe(11n)

    const factory = new ContractFactory(tokenArtifact.abi as never, tokenArtifact.bytecode, wallet)
    const token = (await (await factory.deploy()).waitForDeployment()) as Contract
    const address = await token.getAddress()
    const socket = new WebSocketProvider(wsUrl)
    const heard = new Promise<bigint>(resolve => {
      void new Contract(address, tokenArtifact.abi as never, socket).on('Transfer', (_from, _to, value: bigint) =>
        resolve(value),
      )
    })
    const blocks: number[] = []
    await socket.on('block', (height: number) => blocks.push(height))
    await until('a subscription', 30_000, async () => (await socket.getBlockNumber()) > 0)
    await (await token.getFunction('transfer')(stranger, 9n)).wait()
    expect(await token.getFunction('balanceOf')(stranger)).toBe(9n)
    const events = (await token.queryFilter('Transfer', 0)) as EventLog[]
    expect(events.map(({ args }) => args[2])).toEqual([10n ** 30n, 9n])
    expect(await heard).toBe(9n)
    await until('a head that ethers heard', 30_000, async () => blocks.length > 0)
    await socket.destroy()
    await expect(token.getFunction('transferFrom').staticCall(stranger, stranger, 1n)).rejects.toMatchObject({
      code: 'CALL_EXCEPTION',
      revert: { name: 'ERC20InsufficientAllowance' },
    })
    provider.destroy()
  })
})

describe('the pool', () => {
  it('shows what waits, and replaces it for a tenth more only', async () => {
    const sender: ViemWallet = viemOf(5)
    const nonce = await sender.reader.getTransactionCount({ address: sender.address })
    const queued = { to: stranger, nonce: nonce + 1, gas: 21_000n, type: 'eip1559' } as const
    const offer = (gwei: string, value: bigint) =>
      sender.wallet.sendTransaction({
        ...queued,
        value,
        maxFeePerGas: parseGwei(gwei),
        maxPriorityFeePerGas: parseGwei(gwei),
      })
    const first = await offer('100', 1n)
    expect((await rawCall('eth_getTransactionByHash', [first])).result).toMatchObject({
      hash: first,
      blockHash: null,
      blockNumber: null,
      transactionIndex: null,
      nonce: toHex(nonce + 1),
    })
    expect((await rawCall('eth_getTransactionReceipt', [first])).result).toBeNull()
    expect((await rawCall('txpool_status')).result).toMatchObject({ queued: '0x1' })
    expect((await rawCall('txpool_contentFrom', [sender.address])).result).toMatchObject({
      queued: { [`${nonce + 1}`]: { hash: first } },
    })
    expect((await rawCall('txpool_inspect')).result).toMatchObject({
      queued: {
        [sender.address]: { [`${nonce + 1}`]: expect.stringMatching(/: 1 wei \+ 21000 gas × 100000000000 wei$/) },
      },
    })

    await expect(offer('109', 2n)).rejects.toThrow('replacement transaction underpriced')
    await expect(
      sender.wallet.sendTransaction({
        ...queued,
        value: 1n,
        maxFeePerGas: parseGwei('100'),
        maxPriorityFeePerGas: parseGwei('100'),
      }),
    ).rejects.toThrow('already known')
    const second = await offer('110', 3n)
    expect((await rawCall('eth_getTransactionByHash', [first])).result).toBeNull()

    await sender.mined(await sender.wallet.sendTransaction({ to: stranger, nonce, value: 1n }))
    expect(await sender.mined(second)).toMatchObject({ status: 'success' })
    await expect(sender.wallet.sendTransaction({ to: stranger, nonce, value: 1n, gas: 21_000n })).rejects.toThrow(
      /nonce too low/i,
    )
    await expect(
      sender.wallet.sendTransaction({ to: stranger, value: parseEther('100000'), gas: 21_000n }),
    ).rejects.toThrow(/insufficient funds/i)
  })

  it('answers batches in full, notifications left out', async () => {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([
        { jsonrpc: '2.0', id: 'a', method: 'eth_chainId' },
        { jsonrpc: '2.0', method: 'eth_blockNumber' },
        { jsonrpc: '2.0', id: 7, method: 'eth_noSuchMethod', params: [] },
        'no call at all',
      ]),
    })
    const answers = (await response.json()) as { id: unknown; result?: string; error?: { code: number } }[]
    expect(answers).toMatchObject([
      { id: 'a', result: '0xa455' },
      { id: 7, error: { code: -32601 } },
      { id: null, error: { code: -32600 } },
    ])
  })
})
