import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { keccak256 } from '../src/base/crypto/keccak.js'
import { addressOfPrivateKey, signDigest } from '../src/base/crypto/secp256k1.js'
import { encodeRlp, type RlpItem } from '../src/base/encoding/rlp.js'
import { rlpHex, rlpUint } from '../src/base/encoding/rlp-fields.js'
import { concatBytes, uintToBytes } from '../src/base/primitives/bytes.js'
import { recoverBatch } from '../src/io/recovery/recover-batch.js'
import { createWorkerRecovery } from '../src/io/recovery/worker-recovery.js'
import { FileLog } from '../src/io/storage/file-log.js'
import { silentLogger } from '../src/io/telemetry/logger.js'
import { silentMetrics } from '../src/io/telemetry/metrics.js'
import { systemClock } from '../src/io/time/system-clock.js'
import { createMempool } from '../src/services/mempool/create-mempool.js'
import { defaultMempoolConfig } from '../src/services/mempool/mempool.js'

// Measures the mempool on transfers: recovery per core, what it costs the main thread, admission, selection, a new head.
// Usage: node build/bench/mempool.js [transactions] [accounts]

const count = Number(process.argv[2] ?? 12_000)
const accountCount = Number(process.argv[3] ?? 3_000)
const chainId = 5_311n
const keys = Array.from({ length: accountCount }, (_, index) => keccak256(uintToBytes(index + 1, 32)))
const raws = Array.from({ length: count }, (_, index) =>
  transfer({ key: keys[index % accountCount]!, nonce: Math.floor(index / accountCount) }),
)

function transfer({ key, nonce }: { key: Uint8Array; nonce: number }): Uint8Array {
  const to = `0x${'ab'.repeat(20)}` as const
  const unsigned: RlpItem[] = [
    rlpUint(chainId),
    rlpUint(nonce),
    rlpUint(1_000_000_000n),
    rlpUint(3_000_000_000n),
    rlpUint(21_000),
    rlpHex(to),
    rlpUint(1_000_000_000_000_000n),
    new Uint8Array(0),
    [],
  ]
  const { rs, recovery } = signDigest(keccak256(concatBytes(Uint8Array.of(2), encodeRlp(unsigned))), key)
  const trim = (bytes: Uint8Array) => bytes.subarray(bytes.findIndex(byte => byte !== 0))
  const signed = [...unsigned, rlpUint(recovery), trim(rs.subarray(0, 32)), trim(rs.subarray(32))]
  return concatBytes(Uint8Array.of(2), encodeRlp(signed))
}

const results: { what: string; value: string }[] = []
const report = (what: string, value: string) => results.push({ what, value })
const perTransaction = (milliseconds: number, transactions: number) =>
  `${((milliseconds * 1_000) / transactions).toFixed(2)} µs per transaction`

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** CPU time of the main thread (Linux). */
function mainCpuMs(): number {
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')
  return Number(nanoseconds) / 1e6
}

async function spentOn(task: () => Promise<void>): Promise<{ mainMs: number; wallMs: number; cpuMs: number }> {
  const startMs = performance.now()
  const cpuBefore = cpuMs()
  const mainBefore = mainCpuMs()
  await task()
  return { mainMs: mainCpuMs() - mainBefore, wallMs: performance.now() - startMs, cpuMs: cpuMs() - cpuBefore }
}

recoverBatch(raws.slice(0, 1_000))
const inlineStart = performance.now()
recoverBatch(raws)
report('decode + hash + recover, one core', perTransaction(performance.now() - inlineStart, count))

const recovery = createWorkerRecovery()
await recovery.recover(raws.slice(0, 1_000))
for (const size of [8, 64, 256]) {
  const spent = await spentOn(async () => {
    const running = new Set<Promise<unknown>>()
    for (let at = 0; at < count; at += size) {
      const batch: Promise<unknown> = recovery.recover(raws.slice(at, at + size)).then(() => running.delete(batch))
      running.add(batch)
      if (running.size >= 2) await Promise.race(running)
    }
    await Promise.all(running)
  })
  report(
    `worker recovery in batches of ${size}`,
    `${Math.round((count / spent.wallMs) * 1_000)} /s, main thread ${perTransaction(spent.mainMs, count)}`,
  )
}

const funded = { nonce: 0, balance: 10n ** 24n, hasCode: false }
const sequencerPeer = { id: 'sequencer', consensusKey: null }
let deliver: (message: Uint8Array) => void = () => {}
const sent: Uint8Array[] = []
const directory = mkdtempSync(path.join(tmpdir(), 'morphism-mempool-'))
let journals = 0
const open = async (options: { isSequencer: boolean }) =>
  createMempool({
    config: {
      ...defaultMempoolConfig,
      chainId,
      blockGasLimit: 30_000_000,
      baseFeePerGas: 1_000_000_000n,
      maxPending: count,
      maxUnprocessedBytesPerPeer: 64 * 1024 * 1024,
    },
    ports: {
      recovery,
      accounts: { accounts: async addresses => addresses.map(() => funded) },
      network: {
        peers: () => [sequencerPeer],
        send: (_peer, _channel, message) => sent.push(message),
        onMessage: (_channel, handler) => {
          deliver = message => handler(sequencerPeer, message)
          return () => {}
        },
        onConnect: () => () => {},
        drop() {},
      },
      journal: await FileLog.open({ path: path.join(directory, `journal-${journals++}`) }),
      clock: systemClock,
      logger: silentLogger,
      metrics: silentMetrics,
      isSequencer: options.isSequencer,
      isSequencerPeer: () => true,
    },
  })

const rpcPool = await open({ isSequencer: false })
const rpc = await spentOn(async () => {
  await Promise.all(raws.map(raw => rpcPool.addRaw(raw)))
})
report(
  'addRaw, all at once',
  `${Math.round((count / rpc.wallMs) * 1_000)} /s, main thread ${perTransaction(rpc.mainMs, count)}`,
)
await rpcPool[Symbol.asyncDispose]()

const pacing = async (arrive: (raws: Uint8Array[]) => void) => {
  for (let at = 0; at < count; at += 4) {
    arrive(raws.slice(at, at + 4))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}
const idle = await spentOn(() => pacing(() => {}))
const paced = await open({ isSequencer: false })
const pace = await spentOn(async () => {
  // Four arrivals a millisecond or so, as a node under load sees them.
  const answers: Promise<unknown>[] = []
  await pacing(raws => {
    for (const raw of raws) answers.push(paced.addRaw(raw))
  })
  await Promise.all(answers)
})
report(
  'addRaw, 4 per ms',
  `${Math.round((count / pace.wallMs) * 1_000)} /s, main thread ${perTransaction(pace.mainMs - idle.mainMs, count)} above the idle loop`,
)
await paced[Symbol.asyncDispose]()

const messages = sent.splice(0)
const gossiped = await open({ isSequencer: true })
const started = performance.now()
const gossip = await spentOn(async () => {
  for (const message of messages) deliver(message)
  while (gossiped.status().pending < count) await new Promise(resolve => setTimeout(resolve, 5))
})
report(
  'gossip in, to the pool',
  `${Math.round((count / (performance.now() - started)) * 1_000)} /s, main thread ${perTransaction(gossip.mainMs, count)}`,
)
const duplicateStart = performance.now()
for (const message of messages) deliver(message)
report('gossip in, duplicates', perTransaction(performance.now() - duplicateStart, count))

const selectTimes: number[] = []
let selection = gossiped.select({ baseFee: 1_000_000_000n, maxGas: 63_000_000, maxBytes: 8_000_000 })
for (let run = 0; run < 20; run++) {
  const start = performance.now()
  selection = gossiped.select({ baseFee: 1_000_000_000n, maxGas: 63_000_000, maxBytes: 8_000_000 })
  selectTimes.push(performance.now() - start)
}
selectTimes.sort((a, b) => a - b)
report(
  `select ${selection.transactions.length} of ${count}`,
  `${selectTimes[10]!.toFixed(2)} ms median, ${selectTimes[19]!.toFixed(2)} ms worst`,
)
const lookupStart = performance.now()
gossiped.sendersOf(selection.transactions)
report('sendersOf', perTransaction(performance.now() - lookupStart, selection.transactions.length))

const addresses = keys.map(addressOfPrivateKey)
const header = { baseFeePerGas: 1_000_000_000n, gasLimit: 30_000_000, gasUsed: 15_000_000 }
const heads: string[] = []
for (let nonce = 1; gossiped.status().pending > 0; nonce++) {
  const before = gossiped.status().pending
  const touched = addresses.map(address => ({ address, ...funded, nonce }))
  const start = performance.now()
  gossiped.onHead({ block: { header }, touched, logs: [] } as unknown as Parameters<typeof gossiped.onHead>[0])
  heads.push(((1_000 * (performance.now() - start)) / (before - gossiped.status().pending)).toFixed(2))
}
report('onHead, per included transaction', `${heads.join(', ')} µs`)
await gossiped[Symbol.asyncDispose]()
await recovery.close()
rmSync(directory, { recursive: true })
console.table(Object.fromEntries(results.map(({ what, value }) => [what, { value }])))
