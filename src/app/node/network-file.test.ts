import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { devnetParameters } from '../../base/protocol/protocol-parameters.js'
import { type NetworkFile, readNetworkFile } from './network-file.js'

const contract = `0x${'12'.repeat(20)}`
const network = {
  name: 'test',
  l1: {
    chainId: 1,
    startBlock: 0,
    blockTimeSec: 1,
    contracts: { rollup: contract, registry: contract, staking: contract, messageQueue: contract },
  },
  l2: {
    chainId: 2,
    genesis: {
      timestamp: 1,
      baseFeePerGas: '7',
      l1Origin: { number: 0, hash: `0x${'00'.repeat(32)}` },
      alloc: {},
    },
  },
  parameters: devnetParameters,
}
const upgrade = { version: 2, activationHeight: 500, parameters: { gasLimit: 40_000_000, batchBlocks: 300 } }

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'morphism-network-file-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function read(change: object): Promise<NetworkFile> {
  const file = path.join(dir, 'network.json')
  await writeFile(file, JSON.stringify({ ...network, ...change }))
  return readNetworkFile(file)
}

test('parameters that could make a block too large for any batch are refused', async () => {
  const parameters = { ...devnetParameters, maxBlobsPerBatch: 0 }
  await expect(read({ parameters })).rejects.toMatchObject({
    code: 'NETWORK_FILE',
    message: expect.stringContaining('is not valid: parameters: maxBlobsPerBatch must be at least 1'),
  })
})

describe('a field that is unknown', () => {
  const { l1, l2 } = network
  const { genesis } = l2
  it.each<[string, object]>([
    ['upgrade', { upgrade: [upgrade] }],
    ['l1.chainID', { l1: { ...l1, chainID: 1 } }],
    ['l1.contracts.queue', { l1: { ...l1, contracts: { ...l1.contracts, queue: contract } } }],
    ['l2.name', { l2: { ...l2, name: 'test' } }],
    ['l2.genesis.gasLimit', { l2: { ...l2, genesis: { ...genesis, gasLimit: 1 } } }],
    [
      'l2.genesis.l1Origin.timestamp',
      { l2: { ...l2, genesis: { ...genesis, l1Origin: { ...genesis.l1Origin, timestamp: 1 } } } },
    ],
  ])('is named: %s', async (name, change) => {
    await expect(read(change)).rejects.toMatchObject({
      code: 'NETWORK_FILE',
      message: expect.stringContaining(`is not valid: ${name} is unknown: `),
    })
  })
})

describe('a window of forced inclusion', () => {
  const window = (forcedInclusionWindowSec: number, change: object = {}) =>
    read({ l1: { ...network.l1, blockTimeSec: 12 }, parameters: { forcedInclusionWindowSec, ...change } })

  it.each([
    ['1,200 s of finality and 900 s of lag', 2_100, {}],
    ['confirmations and lag', 12 * 5 + 900, { l1Confirmations: 5 }],
  ])('must be longer than %s', async (_, least, change) => {
    expect((await window(least + 1, change)).parameters.forcedInclusionWindowSec).toBe(least + 1)
    await expect(window(least, change)).rejects.toMatchObject({
      code: 'NETWORK_FILE',
      message: expect.stringContaining(`parameters: forcedInclusionWindowSec must be more than ${least}`),
    })
  })

  it('holds for the parameters of an upgrade too', async () => {
    const upgrades = [upgrade, { version: 3, activationHeight: 501, parameters: { maxL1LagSec: 59 } }]
    await expect(read({ upgrades })).rejects.toMatchObject({
      code: 'NETWORK_FILE',
      message: expect.stringContaining('the upgrade to version 3: forcedInclusionWindowSec must be more than 60'),
    })
  })
})

test('L1 makes a block every twelve seconds unless the file says otherwise', async () => {
  const { blockTimeSec: _, ...l1 } = network.l1
  expect((await read({ l1 })).l1.blockTimeSec).toBe(12)
  expect((await read({ l1: { ...l1, blockTimeSec: 2 } })).l1.blockTimeSec).toBe(2)
  await expect(read({ l1: { ...l1, blockTimeSec: 0 } })).rejects.toMatchObject({
    code: 'NETWORK_FILE',
    message: expect.stringContaining('l1.blockTimeSec must be at least 1'),
  })
})

describe('the genesis accounts of a network file', () => {
  const readAlloc = (alloc: unknown) => {
    const { l2 } = network
    return read({ l2: { ...l2, genesis: { ...l2.genesis, alloc } } })
  }
  const word = `0x${'ab'.repeat(32)}`

  it('have a balance, and may have a nonce, code and storage', async () => {
    const alloc = {
      [contract]: { balance: '1000' },
      [`0x${'34'.repeat(20)}`]: { balance: '0x3e8', nonce: 1, code: '0x6001', storage: { [word]: word } },
    }
    expect((await readAlloc(alloc)).l2.genesis.alloc).toEqual(alloc)
  })

  it.each<[string, unknown, string]>([
    ['no address', { rich: { balance: '1' } }, 'l2.genesis.alloc.rich is malformed'],
    ['no balance', { [contract]: {} }, `l2.genesis.alloc.${contract}.balance is malformed`],
    ['a balance in words', { [contract]: { balance: 'much' } }, `l2.genesis.alloc.${contract}.balance is malformed`],
    ['half a byte', { [contract]: { balance: '1', code: '0x1' } }, `l2.genesis.alloc.${contract}.code is malformed`],
    [
      'a short word',
      { [contract]: { balance: '1', storage: { [word]: '0x1' } } },
      `l2.genesis.alloc.${contract}.storage.${word} is malformed`,
    ],
  ])('are refused by name with %s', async (_, alloc, message) => {
    await expect(readAlloc(alloc)).rejects.toMatchObject({
      code: 'NETWORK_FILE',
      message: expect.stringContaining(message),
    })
  })
})

describe('the upgrades of a network file', () => {
  it('may be left out', async () => {
    expect(await read({})).toEqual({ ...network, upgrades: [] })
  })

  it('name their version, the height at which it activates, and the parameters that it changes', async () => {
    const bare = { version: 3, activationHeight: 501 }
    expect((await read({ upgrades: [upgrade, bare] })).upgrades).toEqual([upgrade, { ...bare, parameters: {} }])
  })

  it.each<[string, unknown, string]>([
    ['no list', upgrade, 'upgrades must be a list'],
    ['no object', [2], 'upgrades[0] must be an object'],
    ['no version', [{ ...upgrade, version: undefined }], 'upgrades[0].version must be a whole number'],
    ['no height', [{ ...upgrade, activationHeight: '500' }], 'upgrades[0].activationHeight must be a whole number'],
    ['an unknown field', [{ ...upgrade, height: 500 }], 'upgrades[0].height is unknown'],
    ['an unknown parameter', [{ ...upgrade, parameters: { gas: 1 } }], 'upgrades[0].parameters.gas is unknown'],
    [
      'a name that every object has',
      [{ ...upgrade, parameters: { toString: 1 } }],
      'upgrades[0].parameters.toString is unknown',
    ],
    [
      'a parameter of the L1 contracts',
      [{ ...upgrade, parameters: { challengeWindowSec: 1 } }],
      'upgrades[0].parameters.challengeWindowSec is fixed by genesis or in the L1 contracts: no upgrade changes it',
    ],
    [
      'a parameter of genesis',
      [{ ...upgrade, parameters: { minSequencers: 1 } }],
      'upgrades[0].parameters.minSequencers is fixed by genesis',
    ],
    [
      'a parameter that is no number',
      [{ ...upgrade, parameters: { gasLimit: -1 } }],
      'upgrades[0].parameters.gasLimit must be a whole number',
    ],
    [
      'a version that does not come next',
      [{ ...upgrade, version: 3 }],
      'upgrades: the upgrade to version 3 comes after version 1: versions rise by one',
    ],
    [
      'heights that do not rise',
      [upgrade, { version: 3, activationHeight: 500 }],
      'upgrades: the upgrade to version 3 activates at height 500, which must be above 500',
    ],
  ])('are refused with a sentence: %s', async (_, upgrades, says) => {
    await expect(read({ upgrades })).rejects.toMatchObject({
      code: 'NETWORK_FILE',
      message: expect.stringContaining(says),
    })
  })
})
