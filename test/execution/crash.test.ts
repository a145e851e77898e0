import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keccak256, keccak256Hex } from '../../src/base/crypto/keccak.js'
import { type NodeReference, toNibbles } from '../../src/base/crypto/trie/trie-node.js'
import { emptyRoot } from '../../src/base/crypto/trie/update-trie.js'
import { bytesToHex, hexToBytes } from '../../src/base/primitives/bytes.js'
import { headerHash } from '../../src/base/protocol/block-header.js'
import { decodeAccount, encodeAccount } from '../../src/io/execution/embedded/state/account-record.js'
import { NodeCache } from '../../src/io/execution/embedded/state/node-cache.js'
import { decodeSlotValue } from '../../src/io/execution/embedded/state/slot-value.js'
import { ChainStore } from '../../src/io/execution/embedded/store/chain-store.js'
import { LevelStore } from '../../src/io/storage/level-store.js'

const kills = 8
const script = fileURLToPath(new URL('./chain-writer.js', import.meta.url))
let dataDir: string

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'crash-'))
})
afterAll(() => rm(dataDir, { recursive: true }))

/** Lets the writer commit some blocks, kills it with SIGKILL, and gives the last height that it reported. */
function writeAndKill(delayMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      if (output === '') setTimeout(() => child.kill('SIGKILL'), delayMs)
      output += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (_code, signal) => {
      if (signal !== 'SIGKILL') reject(new RangeError(`the writer ended by itself: ${output}`))
      else resolve(Number(output.trimEnd().split('\n').at(-1)))
    })
  })
}

/** Every leaf of a trie by its hashed key. */
function leavesOf(root: Uint8Array, nodes: NodeCache): Map<string, Uint8Array> {
  const leaves = new Map<string, Uint8Array>()
  const walk = (reference: NodeReference, path: number[]): void => {
    const node = reference instanceof Uint8Array ? nodes.node(reference) : reference
    if (node.kind === 'leaf') leaves.set([...path, ...node.path].join(), node.value)
    else if (node.kind === 'extension') walk(node.child, [...path, ...node.path])
    else for (const [nibble, child] of node.children.entries()) if (child !== null) walk(child, [...path, nibble])
  }
  if (bytesToHex(root) !== bytesToHex(emptyRoot)) walk(root, [])
  return leaves
}

const pathOf = (key: Uint8Array): string => toNibbles(keccak256(key)).join()

/** Entries of the flat state, of one kind. */
async function flat(store: LevelStore, kind: string): Promise<Map<string, Uint8Array>> {
  const from = Uint8Array.of(kind.charCodeAt(0))
  const entries = new Map<string, Uint8Array>()
  for await (const [key, value] of store.entries({ from, to: Uint8Array.of(from[0]! + 1) }))
    entries.set(bytesToHex(key.subarray(1)), Uint8Array.from(value))
  return entries
}

async function expectConsistent(least: number): Promise<number> {
  const store = await LevelStore.open({ path: join(dataDir, 'execution') })
  try {
    const chain = new ChainStore(store)
    const { head, safe } = chain.heads()
    expect(head.number).toBeGreaterThanOrEqual(least)
    expect(safe).toBe(Math.max(head.number - 1, 0))
    let parent = chain.hashAt(0)
    for (let height = 1; height <= head.number; height++) {
      const block = chain.blockAt(height)!
      expect(block.header.parentHash).toBe(parent)
      expect(headerHash(block.header)).toBe(block.hash)
      expect(chain.receiptsAt(height)).toHaveLength(block.transactions.length)
      expect(chain.transactionPosition(keccak256Hex(block.transactions[7]!))).toEqual({ height, index: 7 })
      parent = block.hash
    }
    const nodes = new NodeCache(store)
    const accounts = await flat(store, 'a')
    const leaves = leavesOf(hexToBytes(head.stateRoot), nodes)
    expect(leaves.size).toBe(accounts.size)
    const slots = await flat(store, 's')
    let slotCount = 0
    for (const [address, value] of accounts) {
      const account = decodeAccount(value)
      expect(leaves.get(pathOf(hexToBytes(address)))).toEqual(encodeAccount(account))
      const words = leavesOf(account.storageRoot, nodes)
      for (const [key, word] of slots) {
        if (!key.startsWith(address)) continue
        slotCount++
        expect(decodeSlotValue(words.get(pathOf(hexToBytes(`0x${key.slice(42)}`)))!)).toEqual(word)
      }
      slotCount -= words.size
    }
    expect(slotCount).toBe(0)
    return head.number
  } finally {
    await store.close()
  }
}

describe('a client that is killed while it commits', () => {
  it('keeps every block that it reported, with flat state, tries and chain in agreement', async () => {
    let height = 0
    for (let round = 0; round < kills; round++) {
      const reported = await writeAndKill((round * 37) % 150)
      expect(reported).toBeGreaterThan(height)
      height = await expectConsistent(reported)
    }
  }, 120_000)
})
