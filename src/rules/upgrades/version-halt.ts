import type { Height } from '../../base/primitives/quantities.js'
import type { ProtocolSchedule } from './protocol-schedule.js'

/** Why a node takes no part from a height on. */
export type VersionHaltReason = 'PROTOCOL_VERSION_UNKNOWN' | 'PROTOCOL_VERSION_NOT_ADOPTED'

/** A node makes, signs and takes no block from a height on, since the network's protocol version there is not its own. */
export interface VersionHalt {
  readonly reason: VersionHaltReason
  /** The first height that it cannot take part in. */
  readonly height: Height
  /** The network's version there. */
  readonly version: number
  /** This node's: the newest that its software knows, or the one that its network file has there. */
  readonly own: number
  /** What of the node differs. */
  readonly of: 'software' | 'network-file'
}

/** A block and the version that its context names. */
export interface VersionedBlock {
  readonly height: Height
  readonly version: number
}

/**
 * Why a node whose chain ends with `head` must go no further, or null. `decided` is a block that a quorum decided and that this
 * node refused for its version.
 */
export function versionHalt({
  protocol,
  head,
  decided,
}: {
  protocol: ProtocolSchedule
  head: VersionedBlock
  decided: VersionedBlock | null
}): VersionHalt | null {
  const next = head.height + 1
  const { version, isKnown } = protocol.at(next)
  if (!isKnown)
    return { reason: 'PROTOCOL_VERSION_UNKNOWN', height: next, version, own: protocol.latestKnown, of: 'software' }
  if (decided?.height === next && decided.version !== version) return differs(decided, version)
  // The file was changed for heights that the chain had passed, or an older one came back.
  const ofHead = protocol.at(head.height).version
  return head.version === ofHead ? null : differs(head, ofHead)
}

function differs({ height, version }: VersionedBlock, own: number): VersionHalt {
  const reason = version > own ? 'PROTOCOL_VERSION_UNKNOWN' : 'PROTOCOL_VERSION_NOT_ADOPTED'
  return { reason, height, version, own, of: 'network-file' }
}
