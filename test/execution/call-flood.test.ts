import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressOfPrivateKey } from '../../src/base/crypto/secp256k1.js'
import { bytesToHex, concatBytes, type Hex, hexToBytes, uintToBytes } from '../../src/base/primitives/bytes.js'
import { type Address, zeroHash } from '../../src/base/primitives/hashes.js'
import { createEmbeddedExecution } from '../../src/io/execution/embedded/embedded-execution.js'
import type { ExecutionClient } from '../../src/io/execution/execution-client.js'
import { type Genesis, genesisContext } from '../../src/io/execution/genesis.js'
import { signTransaction } from '../../src/io/execution/sign-transaction.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'

const key = uintToBytes(1, 32)
/** Burns all gas in a loop. */
const burner: Address = '0x000000000000000000000000000000000000b012'
const echo: Address = '0x0000000000000000000000000000000000000004'
const genesis: Genesis = {
  chainId: 12,
  timestamp: 1_700_000_000,
  gasLimit: 30_000_000,
  l1OriginNumber: 0,
  l1OriginHash: zeroHash,
  alloc: {
    [addressOfPrivateKey(key)]: { balance: 10n ** 24n },
    [burner]: { balance: 0n, nonce: 1, code: '0x5b5f56' },
  },
}
let dataDir: string
let client: ExecutionClient

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'flood-'))
  const bounds = { timeoutMs: 100, maxWaitingCalls: 100 }
  client = await createEmbeddedExecution({ dataDir, genesis, logger: silentLogger, bounds })
})
afterAll(async () => {
  await client.close()
  await rm(dataDir, { recursive: true })
})

async function advance(nonce: number): Promise<void> {
  const { hash, header } = await client.head()
  const draft = { type: 2, chainId: 12, nonce, maxFeePerGas: 10n ** 12n, gasLimit: 21_000, to: burner } as const
  const { block } = await client.buildBlock({
    parentHash: hash,
    height: header.number + 1,
    timestamp: header.timestamp,
    feeRecipient: burner,
    prevRandao: zeroHash,
    gasLimit: genesis.gasLimit,
    context: genesisContext(genesis),
    withdrawals: [],
    transactions: [signTransaction({ ...draft, to: echo, value: 1n, gasLimit: 30_000 }, key)],
    onInvalidTransaction: 'fail',
  })
  await client.forkchoiceUpdated({ head: block.hash, safe: hash, finalized: hash })
}

const burn = (signal?: AbortSignal) =>
  client.request('eth_call', [{ to: burner, gas: '0x1c9c380' }, 'latest'], signal && { signal })
const echoed = () => client.request('eth_call', [{ to: echo, data: '0x1234' }, 'latest'])
const refusal = (message: string | RegExp, code: number) =>
  expect.objectContaining({ rpc: expect.objectContaining({ code, message: expect.stringMatching(message) }) })

/** Init code that does pairings one after the other, without any jump: nothing in it can be interrupted. */
function pairings(count: number): Hex {
  const points =
    '17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb' +
    '08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1' +
    '024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8' +
    '13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e' +
    '0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801' +
    '0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be'
  const data = points.replace(/.{96}/g, coordinate => coordinate.padStart(128, '0'))
  const call = '5f5f6101805f600f5afa50'
  const body = call.repeat(count)
  const offset = 8 + body.length / 2
  const copy = `61018061${offset.toString(16).padStart(4, '0')}5f39`
  return bytesToHex(concatBytes(hexToBytes(`0x${copy}${body}`), hexToBytes(`0x${data}`)))
}

describe('calls that burn much gas', () => {
  it('leave blocks and cheap queries alone, a hundred at once', async () => {
    let answered = 0
    const calls = Array.from({ length: 100 }, () =>
      burn().then(
        () => 'returned',
        (error: { rpc: { message: string } }) => {
          answered++
          return error.rpc.message
        },
      ),
    )
    for (let nonce = 0; nonce < 20; nonce++) {
      await advance(nonce)
      expect(await client.request('eth_blockNumber', [])).toBe(`0x${(nonce + 1).toString(16)}`)
    }
    expect(answered).toBeLessThan(100)
    const outcomes = new Set(await Promise.all(calls))
    for (const message of outcomes) expect(message).toMatch(/^(out of gas|execution aborted \(timeout = 0.1s\))$/)
  })

  it('are refused beyond the bound of those that wait', async () => {
    const calls = await Promise.allSettled(Array.from({ length: 130 }, () => echoed()))
    const refused = calls.filter(call => call.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toEqual(refusal(/^too many concurrent calls$/, -32005))
    expect(calls.filter(call => call.status === 'fulfilled').every(({ value }) => value === '0x1234')).toBe(true)
  })

  it('end when their caller goes away, running or waiting', async () => {
    const running = new AbortController()
    const waiting = new AbortController()
    const calls = [burn(running.signal), burn(waiting.signal)]
    const next = echoed()
    waiting.abort()
    await expect(calls[1]).rejects.toEqual(refusal(/aborted/, -32000))
    running.abort()
    await expect(calls[0]).rejects.toEqual(refusal(/aborted/, -32000))
    expect(await next).toBe('0x1234')
    await expect(burn(AbortSignal.abort())).rejects.toEqual(refusal(/aborted/, -32000))
  })

  it('lose their thread when they cannot be interrupted, and only they do', async () => {
    const stuck = client.request('eth_call', [{ data: pairings(400), gas: '0x2faf080' }, 'latest'])
    const next = echoed()
    await expect(stuck).rejects.toEqual(refusal(/^execution aborted \(timeout = 0.1s\)$/, -32000))
    expect(await next).toBe('0x1234')
  })
})
