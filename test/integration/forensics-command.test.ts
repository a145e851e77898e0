import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BlsSecretKey } from '../../src/base/crypto/bls.js'
import { bytesToHex } from '../../src/base/primitives/bytes.js'
import { type Hash32, zeroAddress, zeroHash } from '../../src/base/primitives/hashes.js'
import { duplicateVote, encodeEvidence } from '../../src/base/protocol/evidence.js'
import { prevote, type Vote, voteDigest } from '../../src/base/protocol/vote.js'

const rollup = `0x${'12'.repeat(20)}` as const
const domain = { l1ChainId: 31_337, rollup }
const keys = [1, 2, 3, 4].map(n => BlsSecretKey.fromSeed(new Uint8Array(32).fill(n)))
const directory = mkdtempSync(path.join(tmpdir(), 'forensics-'))
const file = (name: string) => path.join(directory, name)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

beforeAll(() => {
  const contracts = { rollup, registry: zeroAddress, staking: zeroAddress, messageQueue: zeroAddress }
  const genesis = { timestamp: 0, baseFeePerGas: '1', l1Origin: { number: 0, hash: zeroHash }, alloc: {} }
  const network = { l1: { chainId: 31_337, startBlock: 0, contracts }, l2: { chainId: 7, genesis } }
  writeFileSync(file('network.json'), JSON.stringify(network))
  const members = keys.map((key, index) => ({
    index: `0x${index}`,
    operator: zeroAddress,
    publicKey: bytesToHex(key.publicKey()),
    power: '0x1',
    feeRecipient: zeroAddress,
  }))
  writeFileSync(file('set.json'), JSON.stringify({ setId: '0x1', activeFrom: '0x1', totalPower: '0x4', members }))
  const vote = (blockHash: Hash32): Vote => {
    const content = { height: 3, round: 0, step: prevote, blockHash }
    return {
      ...content,
      member: 2,
      signature: keys[2]!.sign(voteDigest(domain, content)),
      extension: new Uint8Array(0),
    }
  }
  writeFileSync(file('evidence'), encodeEvidence(duplicateVote(vote(zeroHash), vote(`0x${'aa'.repeat(32)}`))))
  writeFileSync(file('empty-wal'), '')
})

function morphism(...flags: string[]) {
  const args = ['bin/morphism.mjs', 'forensics', '--network', file('network.json'), ...flags]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

it('morphism forensics exits with 2 and the proof for culprits, 0 without, 1 with a sentence when it cannot judge', () => {
  const found = morphism('--set', file('set.json'), '--json', file('evidence'), file('empty-wal'))
  expect(found.status, found.stderr).toBe(2)
  expect(JSON.parse(found.stdout).heights[0].culprits).toMatchObject([
    { offence: 'double-vote', member: { index: 2, publicKey: bytesToHex(keys[2]!.publicKey()) } },
  ])
  expect(morphism('--set', file('set.json'), file('evidence')).stdout).toContain('double-vote')
  expect(morphism('--set', file('set.json'), file('empty-wal')).status).toBe(0)
  const keyless = morphism(file('evidence'))
  expect(keyless).toMatchObject({ status: 1, stderr: expect.stringContaining('morphism: Signatures need keys') })
  writeFileSync(file('bad.json'), JSON.stringify({ absent: '0x0', blockHash: '0xzz', height: '0x3' }))
  const others = morphism('--set', file('set.json'), file('bad.json'), file('evidence'))
  expect(others).toMatchObject({ status: 2, stdout: expect.stringContaining('bad.json cannot be read') })
  const nothingElse = morphism('--set', file('set.json'), file('bad.json'), file('empty-wal'))
  expect(nothingElse).toMatchObject({ status: 3, stdout: expect.not.stringContaining('nobody is seen') })
  const missing = morphism('--set', file('set.json'), file('none'))
  expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining('none cannot be read') })
})
