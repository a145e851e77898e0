import { readFile } from 'node:fs/promises'
import type { Address } from '../../base/primitives/hashes.js'
import {
  defaultParameters,
  type ParameterChange,
  type ProtocolParameters,
  upgradableParameters,
} from '../../base/protocol/protocol-parameters.js'
import { batchParametersProblem } from '../../rules/batch/seal-policy.js'
import {
  createProtocolSchedule,
  type ProtocolUpgrade,
  upgradesProblem,
} from '../../rules/upgrades/protocol-schedule.js'
import { AppError } from '../app-error.js'

/** One account of genesis, hex as in geth's genesis.json. */
export interface GenesisAccountJson {
  readonly balance: string
  readonly nonce?: number
  readonly code?: string
  readonly storage?: Readonly<Record<string, string>>
}

/** The network file: everything that all nodes of one network must agree on. */
export interface NetworkFile {
  readonly name: string
  readonly l1: {
    readonly chainId: number
    /** First L1 block that can hold events of the contracts. */
    readonly startBlock: number
    /** Seconds from one L1 block to the next; 12 unless told. */
    readonly blockTimeSec: number
    readonly contracts: {
      readonly rollup: Address
      readonly registry: Address
      readonly staking: Address
      readonly messageQueue: Address
    }
  }
  readonly l2: {
    readonly chainId: number
    readonly genesis: {
      /** Seconds. */
      readonly timestamp: number
      /** Decimal wei. */
      readonly baseFeePerGas: string
      readonly l1Origin: { readonly number: number; readonly hash: `0x${string}` }
      readonly alloc: Readonly<Record<Address, GenesisAccountJson>>
    }
  }
  readonly parameters: ProtocolParameters
  /** Versions of the protocol after the first, each with the height at which it activates (spec/upgrades.md). */
  readonly upgrades: readonly ProtocolUpgrade[]
}

/** Reads a network file; parameters that it leaves out take their defaults. @throws AppError NETWORK_FILE */
export async function readNetworkFile(file: string): Promise<NetworkFile> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    throw new AppError('NETWORK_FILE', `the network file ${file} cannot be read`, { file }, { cause })
  }
  try {
    return parseNetworkFile(JSON.parse(text))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AppError('NETWORK_FILE', `the network file ${file} is not valid: ${why}`, { file }, { cause })
  }
}

const address = /^0x[0-9a-f]{40}$/i
const hash = /^0x[0-9a-f]{64}$/i
const byteString = /^0x([0-9a-f]{2})*$/i
/** Wei, decimal or hex. */
const amount = /^(\d+|0x[0-9a-f]+)$/i

function parseNetworkFile(json: unknown): NetworkFile {
  const root = fields(json, '', ['name', 'l1', 'l2', 'parameters', 'upgrades'])
  const l1 = fields(root.l1, 'l1', ['chainId', 'startBlock', 'blockTimeSec', 'contracts'])
  const contracts = fields(l1.contracts, 'l1.contracts', ['rollup', 'registry', 'staking', 'messageQueue'])
  const l2 = fields(root.l2, 'l2', ['chainId', 'genesis'])
  const genesis = fields(l2.genesis, 'l2.genesis', ['timestamp', 'baseFeePerGas', 'l1Origin', 'alloc'])
  const origin = fields(genesis.l1Origin, 'l2.genesis.l1Origin', ['number', 'hash'])
  const given = root.parameters === undefined ? {} : object(root.parameters, 'parameters')
  const parameters = { ...defaultParameters, ...parseParameterValues(given, 'parameters.') }
  const blockTimeSec = positive(l1.blockTimeSec ?? 12, 'l1.blockTimeSec')
  requireSound(parameters, blockTimeSec)
  const contract = (name: keyof typeof contracts): Address =>
    match(contracts[name], address, `l1.contracts.${name}`).toLowerCase() as Address
  return {
    name: typeof root.name === 'string' ? root.name : 'morphism',
    l1: {
      chainId: whole(l1.chainId, 'l1.chainId'),
      startBlock: whole(l1.startBlock, 'l1.startBlock'),
      blockTimeSec,
      contracts: {
        rollup: contract('rollup'),
        registry: contract('registry'),
        staking: contract('staking'),
        messageQueue: contract('messageQueue'),
      },
    },
    l2: {
      chainId: whole(l2.chainId, 'l2.chainId'),
      genesis: {
        timestamp: whole(genesis.timestamp, 'l2.genesis.timestamp'),
        baseFeePerGas: match(genesis.baseFeePerGas, /^\d+$/, 'l2.genesis.baseFeePerGas'),
        l1Origin: {
          number: whole(origin.number, 'l2.genesis.l1Origin.number'),
          hash: match(origin.hash, hash, 'l2.genesis.l1Origin.hash') as `0x${string}`,
        },
        alloc: parseAlloc(object(genesis.alloc, 'l2.genesis.alloc')),
      },
    },
    parameters,
    upgrades: parseUpgrades(root.upgrades ?? [], parameters, blockTimeSec),
  }
}

/** Blocks of L1 after which one is finalized while L1 is well: two to three epochs of 32, and a few. */
const finalityBlocks = 100

/** Checks that the parameters of a network fit together. @throws AppError NETWORK_FILE */
export function requireSound(parameters: ProtocolParameters, l1BlockTimeSec: number): void {
  const problem = batchParametersProblem(parameters) ?? windowProblem(parameters, l1BlockTimeSec)
  if (problem !== null) throw new AppError('NETWORK_FILE', `parameters: ${problem}`)
}

/** The last block of an honest batch knows L1 up to an origin so old: with a shorter window L1 would refuse the batch. */
function windowProblem(
  { forcedInclusionWindowSec, l1Confirmations, maxL1LagSec }: ProtocolParameters,
  l1BlockTimeSec: number,
): string | null {
  const depth = l1Confirmations === 'finalized' ? finalityBlocks : l1Confirmations
  const oldest = depth * l1BlockTimeSec + maxL1LagSec
  if (forcedInclusionWindowSec > oldest) return null
  return `forcedInclusionWindowSec must be more than ${oldest}: ${depth} L1 blocks of ${l1BlockTimeSec} s and maxL1LagSec`
}

function parseAlloc(alloc: Readonly<Record<string, unknown>>): Record<Address, GenesisAccountJson> {
  for (const [name, value] of Object.entries(alloc)) {
    const what = `l2.genesis.alloc.${name}`
    match(name, address, what)
    const { balance, nonce, code, storage } = object(value, what)
    match(balance, amount, `${what}.balance`)
    if (nonce !== undefined) whole(nonce, `${what}.nonce`)
    if (code !== undefined) match(code, byteString, `${what}.code`)
    for (const [slot, word] of Object.entries(storage === undefined ? {} : object(storage, `${what}.storage`))) {
      match(slot, hash, `${what}.storage.${slot}`)
      match(word, hash, `${what}.storage.${slot}`)
    }
  }
  return alloc as Record<Address, GenesisAccountJson>
}

/** Checks values of parameters; `what` precedes their names in errors. @throws AppError NETWORK_FILE */
export function parseParameterValues(
  given: Readonly<Record<string, unknown>>,
  what: string,
): Partial<ProtocolParameters> {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultParameters, name)) throw new AppError('NETWORK_FILE', `${what}${name} is unknown`)
    if (name === 'l1Confirmations' && value === 'finalized') continue
    whole(value, `${what}${name}`)
  }
  return given
}

function parseUpgrades(given: unknown, parameters: ProtocolParameters, l1BlockTimeSec: number): ProtocolUpgrade[] {
  if (!Array.isArray(given)) throw new AppError('NETWORK_FILE', 'upgrades must be a list')
  const upgrades = given.map((entry, i) => parseUpgrade(entry, `upgrades[${i}]`))
  const problem = upgradesProblem({ parameters, upgrades })
  if (problem !== null) throw new AppError('NETWORK_FILE', `upgrades: ${problem}`)
  const schedule = createProtocolSchedule({ parameters, upgrades })
  for (const { version, activationHeight } of upgrades) {
    const tooShort = windowProblem(schedule.at(activationHeight).parameters, l1BlockTimeSec)
    if (tooShort !== null)
      throw new AppError('NETWORK_FILE', `upgrades: the upgrade to version ${version}: ${tooShort}`)
  }
  return upgrades
}

function parseUpgrade(given: unknown, what: string): ProtocolUpgrade {
  const entry = fields(given, what, ['version', 'activationHeight', 'parameters'])
  const { version, activationHeight, parameters = {} } = entry
  return {
    version: whole(version, `${what}.version`),
    activationHeight: whole(activationHeight, `${what}.activationHeight`),
    parameters: parseChange(object(parameters, `${what}.parameters`), `${what}.parameters`),
  }
}

function parseChange(given: Readonly<Record<string, unknown>>, what: string): ParameterChange {
  const upgradable: readonly string[] = upgradableParameters
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultParameters, name)) throw new AppError('NETWORK_FILE', `${what}.${name} is unknown`)
    if (!upgradable.includes(name))
      throw new AppError(
        'NETWORK_FILE',
        `${what}.${name} is fixed by genesis or in the L1 contracts: no upgrade changes it`,
      )
    whole(value, `${what}.${name}`)
  }
  return given
}

/** An object of these fields and no others: what is misspelt must not count as left out. */
function fields<Name extends string>(
  value: unknown,
  what: string,
  names: readonly Name[],
): Readonly<Partial<Record<Name, unknown>>> {
  const given = object(value, what || 'the file')
  const unknown = Object.keys(given).find(name => !(names as readonly string[]).includes(name))
  if (unknown !== undefined)
    throw new AppError('NETWORK_FILE', `${what && `${what}.`}${unknown} is unknown: known are ${names.join(', ')}`)
  return given as Partial<Record<Name, unknown>>
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('NETWORK_FILE', `${what} must be an object`)
  return value as Record<string, unknown>
}

function whole(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new AppError('NETWORK_FILE', `${what} must be a whole number`)
  return value as number
}

function positive(value: unknown, what: string): number {
  if (whole(value, what) === 0) throw new AppError('NETWORK_FILE', `${what} must be at least 1`)
  return value as number
}

function match(value: unknown, pattern: RegExp, what: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) throw new AppError('NETWORK_FILE', `${what} is malformed`)
  return value
}
