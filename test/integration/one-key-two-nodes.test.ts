import { afterEach, expect, it } from 'vitest'
import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { zeroHash } from '../../src/base/primitives/hashes.js'
import { setOfKeys } from '../../src/base/protocol/sequencer-set.fixture.js'
import { prevote, voteDigest } from '../../src/base/protocol/vote.js'
import { GuardedSigner } from '../../src/io/keys/guarded-signer.js'
import { MemorySigningRecord } from '../../src/io/keys/memory-signing-record.js'
import { Libp2pNetwork } from '../../src/io/network/libp2p-network.js'
import { silentLogger } from '../../src/io/telemetry/logger.js'
import { systemClock } from '../../src/io/time/system-clock.js'
import { SigningWatch } from '../../src/services/sequencer/signing/signing-watch.js'

const domain = { l1ChainId: 1, rollup: `0x${'22'.repeat(20)}` } as const
const keys = [1, 2, 3, 4].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
const set = setOfKeys({ setId: 1, keys })
const toClose: { close(): Promise<unknown> }[] = []

afterEach(async () => {
  for (const one of toClose.splice(0).reverse()) await one.close()
})

async function node({ id, key, peers = [] }: { id: number; key: number; peers?: readonly string[] }) {
  const signer = new GuardedSigner({ secretKey: keys[key]!, domain, record: new MemorySigningRecord() })
  const network = await Libp2pNetwork.create({
    config: {
      listen: { host: '127.0.0.1', port: 0 },
      peers,
      network: { l2ChainId: 7, genesisHash: zeroHash, domain },
      role: 'sequencer',
    },
    nodeKey: new Uint8Array(32).fill(id),
    signer,
  })
  toClose.push(network)
  return { network, signer }
}

/** A node that wants to vote at height 11, which nobody decides. */
function voting({ network, signer }: Awaited<ReturnType<typeof node>>): SigningWatch {
  const watch = new SigningWatch({
    signer,
    sets: { setAt: () => set },
    network,
    height: () => 10,
    bestKnownHeight: () => 10,
    latestCertifiedBatch: () => 0,
    clock: systemClock,
    logger: silentLogger,
  })
  toClose.push(watch)
  watch.signVote({ height: 11, round: 0, step: prevote, blockHash: zeroHash }).catch(() => {})
  return watch
}

it.each([
  ['two peer ids', 21],
  ['one peer id', 20],
])('of two nodes that start in one moment with one key and %s, one comes to sign', async (_, secondId) => {
  const others = await Promise.all([0, 1, 2].map(key => node({ id: 10 + key, key })))
  const own = keys[3]!.publicKey()
  const isTwin = ({ consensusKey }: { consensusKey: Uint8Array | null }) => String(consensusKey) === String(own)
  let mostAtOnce = 0
  for (const { network } of others) {
    network.onConnect(() => {
      mostAtOnce = Math.max(mostAtOnce, network.peers().filter(isTwin).length)
    })
    await network.start()
  }
  const peers = others.map(({ network }) => network.addresses()[0]!)
  const twins = await Promise.all([20, secondId].map(id => node({ id, key: 3, peers })))
  const watches = twins.map(voting)
  await Promise.all(twins.map(({ network }) => network.start()))
  await expect
    .poll(() => watches.map(watch => watch.state()).sort(), { timeout: 20_000 })
    .toEqual(['active', 'listening'])
  expect(mostAtOnce).toBe(1)
})

it('a node that has stopped signing leaves its place to the other that runs with its keys', async () => {
  const others = await Promise.all([0, 1, 2].map(key => node({ id: 10 + key, key })))
  for (const { network } of others) await network.start()
  const peers = others.map(({ network }) => network.addresses()[0]!)
  const own = String(keys[3]!.publicKey())
  /** How many have a session with the key, and how many with the peer id. */
  const met = ({ network: { localPeer } }: Awaited<ReturnType<typeof node>>) => {
    const seen = others.flatMap(({ network }) => network.peers().filter(({ id }) => id === localPeer))
    return { withKey: seen.filter(({ consensusKey }) => String(consensusKey) === own).length, inAll: seen.length }
  }
  const stopping = await node({ id: 20, key: 3, peers })
  const watch = voting(stopping)
  await stopping.network.start()
  await expect.poll(() => watch.state(), { timeout: 20_000 }).toBe('active')
  await expect.poll(() => met(stopping)).toEqual({ withKey: 3, inAll: 3 })

  const content = { height: 11, round: 5, step: prevote, blockHash: zeroHash } as const
  const signature = keys[3]!.sign(voteDigest(domain, content))
  await watch.observe({ kind: 'vote', content, signature })
  expect(watch.state()).toBe('KEY_IN_USE_ELSEWHERE')
  await expect.poll(() => met(stopping), { timeout: 20_000 }).toEqual({ withKey: 0, inAll: 3 })

  const other = await node({ id: 20, key: 3, peers })
  await other.network.start()
  await expect.poll(() => met(other), { timeout: 20_000 }).toEqual({ withKey: 3, inAll: 3 })
  await expect.poll(() => [other, stopping].map(({ network }) => network.peers().length)).toEqual([3, 0])
}, 60_000)
