import { createMPT, type MerklePatriciaTrie } from '@ethereumjs/mpt'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeRlp } from '../../encoding/rlp.js'
import { rlpUint } from '../../encoding/rlp-fields.js'
import { bytesToHex } from '../../primitives/bytes.js'
import { keccak256 } from '../keccak.js'
import { proveTrie, readTrie } from './read-trie.js'
import { decodeNode, type TrieNode } from './trie-node.js'
import { emptyRoot, orderedTrieRoot, type TrieChange, updateTrie } from './update-trie.js'

/** Every node that was ever made, decoded from its encoding each time, as from a store. */
class Nodes {
  readonly encoded = new Map<string, Uint8Array>()
  readonly source = (hash: Uint8Array): TrieNode => decodeNode(this.encodedNode(hash))
  readonly encodedNode = (hash: Uint8Array): Uint8Array => this.encoded.get(bytesToHex(hash))!
  update(root: Uint8Array, changes: readonly TrieChange[]): Uint8Array {
    const updated = updateTrie({ root, changes, source: this.source })
    for (const { hash, encoded } of updated.nodes) this.encoded.set(bytesToHex(hash), encoded)
    return updated.root
  }
}

// Few distinct nibbles make shared prefixes, extensions and collapses likely; short values make embedded nodes.
const key = fc
  .array(fc.constantFrom(0, 1, 0x10, 0x11, 0xff), { minLength: 4, maxLength: 4 })
  .map(bytes => Uint8Array.from(bytes))
const value = fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: null, freq: 3 })
const batch = fc
  .array(fc.record({ key, value }), { maxLength: 24 })
  .map(changes => [...new Map(changes.map(change => [bytesToHex(change.key), change])).values()])

async function apply(trie: MerklePatriciaTrie, changes: readonly TrieChange[]): Promise<void> {
  for (const { key, value } of changes) await (value === null ? trie.del(key) : trie.put(key, value))
}

describe('updateTrie', () => {
  it('gives the root of @ethereumjs/mpt after every batch of insertions, changes and deletions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 8 }), async batches => {
        const reference = await createMPT()
        const nodes = new Nodes()
        let root = emptyRoot
        const expected = new Map<string, Uint8Array>()
        for (const changes of batches) {
          await apply(reference, changes)
          root = nodes.update(root, changes)
          expect(bytesToHex(root)).toBe(bytesToHex(reference.root()))
          for (const { key, value } of changes) {
            if (value === null) expected.delete(bytesToHex(key))
            else expected.set(bytesToHex(key), value)
            const read = readTrie(root, key, nodes.source)
            expect(read).toEqual(expected.get(bytesToHex(key)) ?? null)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('gives the root of @ethereumjs/mpt for hashed keys', async () => {
    const reference = await createMPT()
    const nodes = new Nodes()
    let root = emptyRoot
    for (let round = 0; round < 4; round++) {
      const changes = Array.from({ length: 300 }, (_, i) => ({
        key: keccak256(rlpUint(round * 150 + i + 1)),
        value: i % 5 === round ? null : rlpUint(i * 7919 + round + 1),
      }))
      await apply(reference, changes)
      root = nodes.update(root, changes)
      expect(bytesToHex(root)).toBe(bytesToHex(reference.root()))
    }
  })

  it('leaves the root alone when nothing changes', () => {
    const nodes = new Nodes()
    const changes = [1, 2, 3].map(i => ({ key: keccak256(rlpUint(i)), value: rlpUint(i) }))
    const root = nodes.update(emptyRoot, changes)
    expect(nodes.update(root, changes)).toEqual(root)
    expect(nodes.update(root, [{ key: keccak256(rlpUint(9)), value: null }])).toEqual(root)
    expect(nodes.update(root, [])).toEqual(root)
  })
})

describe('orderedTrieRoot', () => {
  it('is the root of the trie over RLP(index)', async () => {
    for (const count of [0, 1, 2, 127, 128, 129, 300]) {
      const items = Array.from({ length: count }, (_, i) => keccak256(rlpUint(i + 1)))
      const reference = await createMPT()
      for (const [i, item] of items.entries()) await reference.put(encodeRlp(rlpUint(i)), item)
      expect(bytesToHex(orderedTrieRoot(items))).toBe(bytesToHex(reference.root()))
    }
  })
})

describe('proveTrie', () => {
  it('lists nodes that prove presence and absence', () => {
    const nodes = new Nodes()
    const keys = Array.from({ length: 200 }, (_, i) => keccak256(rlpUint(i + 1)))
    const root = nodes.update(
      emptyRoot,
      keys.slice(0, 150).map(key => ({ key, value: key })),
    )
    for (const key of keys) {
      const proof = proveTrie({ root, key, source: nodes.source, encodedNode: nodes.encodedNode })
      expect(proof.length).toBeGreaterThan(0)
      expect(keccak256(proof[0]!)).toEqual(root)
      const stored = readTrie(root, key, nodes.source)
      const followed = new Map(proof.map(encoded => [bytesToHex(keccak256(encoded)), encoded]))
      expect(readTrie(root, key, hash => decodeNode(followed.get(bytesToHex(hash))!))).toEqual(stored)
    }
  })
})
