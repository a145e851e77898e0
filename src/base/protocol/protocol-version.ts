/**
 * What each version of the protocol brought, from version 1 on (spec/upgrades.md). This is the one place that says so: software
 * knows these versions and no others.
 */
export const protocolVersions = [
  'The protocol of genesis.',
  'Parameters that neither L1 nor genesis fixes may have other values from the height at which it activates.',
] as const

/** The version of genesis and of every block before the first upgrade. */
export const genesisVersion = 1
/** The newest version that this software knows. */
export const latestVersion: number = protocolVersions.length
