import { invariant } from '../../base/primitives/invariant.js'
import type { Height } from '../../base/primitives/quantities.js'
import type { ParameterChange, ProtocolParameters } from '../../base/protocol/protocol-parameters.js'
import { genesisVersion, latestVersion } from '../../base/protocol/protocol-version.js'
import { batchParametersProblem } from '../batch/seal-policy.js'
import { leastGasLimit } from '../blocks/gas-limit.js'

/** A version of the protocol that begins at a height, with the parameters that it changes. */
export interface ProtocolUpgrade {
  readonly version: number
  /** Its first block. */
  readonly activationHeight: Height
  readonly parameters: ParameterChange
}

/** What blocks of one height are made and judged by. */
export interface Protocol {
  readonly version: number
  readonly parameters: ProtocolParameters
  /** Highest gas limit that held up to the height: that of blocks moves by small steps, and may still be an earlier one. */
  readonly highestGasLimit: number
  /** Whether this software knows the version: if not, it neither makes nor judges blocks of it. */
  readonly isKnown: boolean
}

/** Which protocol holds at which height; equal on all nodes that have the same network file and software. */
export interface ProtocolSchedule {
  /** The parameters of genesis; those that no upgrade may change hold at every height. */
  readonly genesis: ProtocolParameters
  /** The newest version that the software knows. */
  readonly latestKnown: number
  at(height: Height): Protocol
  /** The first upgrade whose blocks all come after this height. */
  nextAfter(height: Height): ProtocolUpgrade | null
}

/** The schedule of a network file. @throws InvariantError when `upgradesProblem` finds one */
export function createProtocolSchedule({
  parameters,
  upgrades = [],
  latestKnown = latestVersion,
}: {
  parameters: ProtocolParameters
  upgrades?: readonly ProtocolUpgrade[]
  /** This software's unless told. */
  latestKnown?: number
}): ProtocolSchedule {
  const problem = upgradesProblem({ parameters, upgrades })
  invariant(problem === null, 'the upgrades of a schedule were not checked', { problem })
  let protocol: Protocol = {
    version: genesisVersion,
    parameters,
    highestGasLimit: parameters.gasLimit,
    isKnown: genesisVersion <= latestKnown,
  }
  const turns: { readonly from: Height; readonly protocol: Protocol }[] = [{ from: 0, protocol }]
  for (const { version, activationHeight, parameters: change } of upgrades) {
    const changed = { ...protocol.parameters, ...change }
    const highestGasLimit = Math.max(protocol.highestGasLimit, changed.gasLimit)
    protocol = { version, parameters: changed, highestGasLimit, isKnown: version <= latestKnown }
    turns.push({ from: activationHeight, protocol })
  }
  return {
    genesis: parameters,
    latestKnown,
    at: height => (turns.findLast(({ from }) => from <= height) ?? turns[0]!).protocol,
    nextAfter: height => upgrades.find(({ activationHeight }) => activationHeight > height) ?? null,
  }
}

/** What is wrong with the upgrades of a network, in words; null when they make a schedule. */
export function upgradesProblem({
  parameters: genesis,
  upgrades,
}: {
  parameters: ProtocolParameters
  upgrades: readonly ProtocolUpgrade[]
}): string | null {
  let parameters = genesis
  let height: Height = 0
  let version = genesisVersion
  let highestGasLimit = genesis.gasLimit
  for (const upgrade of upgrades) {
    const name = `the upgrade to version ${upgrade.version}`
    if (upgrade.version !== version + 1) return `${name} comes after version ${version}: versions rise by one`
    if (upgrade.activationHeight <= height)
      return `${name} activates at height ${upgrade.activationHeight}, which must be above ${height}`
    parameters = { ...parameters, ...upgrade.parameters }
    if (parameters.gasLimit < leastGasLimit) return `${name} has a gasLimit below ${leastGasLimit}`
    // The gas limit moves by small steps: blocks of this version may still have an earlier one.
    highestGasLimit = Math.max(highestGasLimit, parameters.gasLimit)
    const problem = batchParametersProblem({ ...parameters, gasLimit: highestGasLimit })
    if (problem !== null) return `${name}: ${problem}`
    height = upgrade.activationHeight
    version = upgrade.version
  }
  return null
}
