import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bytesToHex, hexToBytes } from '../../src/base/primitives/bytes.js'
import { signTransaction } from '../../src/io/execution/sign-transaction.js'
import { type DevnetNode, RunningDevnet, until } from './running-devnet.js'

const transfersPerSecond = 50
const senders = 5
const calls = 100
/** Blocks over which an interval is averaged. */
const measuredBlocks = 30
/** Gas of one call; all but the last few thousand of it is burned. */
const burnedGas = 30_000_000
/** JUMPDEST, GAS, PUSH2 20000, LT, PUSH1 0, JUMPI, STOP: goes round while more than 20,000 gas is left. */
const burner = '0x5b5a614e2010600057' as const
const burnerAddress = `0x${'b0'.repeat(20)}` as const

let devnet: RunningDevnet
beforeAll(async () => {
  devnet = await RunningDevnet.start({ sequencers: 4, fullNodes: 1 })
})
afterAll(() => devnet?.destroy())

/** Sends transfers at a steady rate to a node until it is stopped. */
function startTransfers(node: DevnetNode): { stop(): Promise<void> } {
  const nonces = new Array<number>(senders).fill(0)
  const keys = nonces.map((_, i) => hexToBytes(devnet.json.accounts[i]!.privateKey))
  const pending = new Set<Promise<unknown>>()
  let turn = 0
  const timer = setInterval(() => {
    const sender = turn++ % senders
    const raw = signTransaction(
      {
        type: 2,
        chainId: devnet.json.l2.chainId,
        nonce: nonces[sender]!++,
        maxFeePerGas: 10n ** 10n,
        maxPriorityFeePerGas: 1n,
        gasLimit: 21_000,
        to: burnerAddress,
        value: 1n,
      },
      keys[sender]!,
    )
    const sent = devnet.rpc(node, 'eth_sendRawTransaction', [bytesToHex(raw)]).catch(() => undefined)
    pending.add(sent)
    void sent.finally(() => pending.delete(sent))
  }, 1_000 / transfersPerSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
    },
  }
}

/** Mean interval of the next blocks by their own timestamps, in milliseconds. */
async function blockIntervalMs(node: DevnetNode): Promise<number> {
  const first = await devnet.height(node)
  const last = first + measuredBlocks
  await until(`block ${last}`, 90_000, async () => (await devnet.height(node)) >= last, 100)
  const timestamp = async (height: number) => {
    const context = await devnet.rpc<{ timestampMs: string | number }>(node, 'morphism_getContext', [
      `0x${height.toString(16)}`,
    ])
    return Number(context.timestampMs)
  }
  return ((await timestamp(last)) - (await timestamp(first))) / measuredBlocks
}

type CallAnswer = { readonly result?: string; readonly error?: { readonly code: number; readonly message: string } }

async function burn(node: DevnetNode, signal: AbortSignal): Promise<CallAnswer | 'given up'> {
  const params = [
    { to: burnerAddress, gas: `0x${burnedGas.toString(16)}` },
    'latest',
    { [burnerAddress]: { code: burner } },
  ]
  try {
    const response = await fetch(node.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_call', params }),
      signal,
    })
    return (await response.json()) as CallAnswer
  } catch (error) {
    if (signal.aborted) return 'given up'
    throw error
  }
}

it(`${calls} calls of ${burnedGas} gas at once do not stop the blocks of a sequencer under load`, async () => {
  const node = devnet.sequencers[0]!
  const transfers = startTransfers(node)
  await until('blocks with transfers', 20_000, async () => (await devnet.height(node)) > 10)
  // With its first batch a node loads the trusted setup of KZG, once: seconds of CPU that are not the calls'.
  for (const each of devnet.json.nodes)
    await until('its first batch', 60_000, async () => {
      const { latestBatch } = await devnet.rpc<{ latestBatch: string }>(each, 'morphism_nodeStatus')
      return Number(latestBatch) > 0
    })
  const beforeMs = await blockIntervalMs(node)

  const givingUp = new AbortController()
  const answers = Promise.all(Array.from({ length: calls }, () => burn(node, givingUp.signal)))
  await sleep(500)
  const duringMs = await blockIntervalMs(node)
  givingUp.abort()
  const afterMs = await blockIntervalMs(node)
  await transfers.stop()

  let results = 0
  const refusals = new Map<string, number>()
  for (const answer of await answers) {
    if (answer === 'given up') continue
    if (answer.result === '0x') results++
    else {
      expect(answer.error?.code).toBeLessThan(0)
      expect(answer.error?.message).not.toBe('')
      refusals.set(answer.error!.message, (refusals.get(answer.error!.message) ?? 0) + 1)
    }
  }
  console.log(
    `block interval ${beforeMs.toFixed(0)} ms before, ${duringMs.toFixed(0)} ms during, ${afterMs.toFixed(0)} ms after: ` +
      `ratio ${(duringMs / beforeMs).toFixed(2)}; ${results} calls answered, ${JSON.stringify([...refusals])}`,
  )
  // Nobody waits for the calls that were given up: the next one does not queue behind them.
  const began = Date.now()
  expect(await devnet.rpc(node, 'eth_call', [{ to: burnerAddress }, 'latest'])).toBe('0x')
  expect(Date.now() - began).toBeLessThan(10_000)
  expect(duringMs).toBeLessThan(5 * beforeMs)
})
