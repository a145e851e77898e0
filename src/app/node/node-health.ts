import type { VersionHalt } from '../../rules/upgrades/version-halt.js'
import type { L1Follower } from '../../services/l1-follower/l1-follower.js'
import type { NodeStatus } from '../../services/rpc/morphism-queries.js'
import { versionHaltSentence } from '../../services/sequencer/explain/no-block-reason.js'

/** What `/health` says; `healthy` when the node does all that its role asks. */
export function nodeHealth({
  status: node,
  halt,
  l1,
}: {
  readonly status: NodeStatus
  readonly halt: VersionHalt | null
  readonly l1: ReturnType<L1Follower['health']>
}) {
  const { ready, height, protocolVersion, upgrade, peers, signing, readyToLead, notReadyToLead } = node
  const trouble = halt ? 'halted' : signingTrouble(signing)
  return {
    healthy: ready && trouble === null,
    status: trouble ?? (ready ? 'ok' : node.syncing ? 'syncing' : 'starting'),
    ...(halt ? { reason: halt.reason, detail: versionHaltSentence(halt) } : {}),
    height,
    protocolVersion,
    upgrade,
    peers,
    signing,
    readyToLead,
    notReadyToLead,
    l1,
  }
}

/** Why a sequencer does not sign, as a status; null when it does, is about to, or has no key. */
function signingTrouble(signing: NodeStatus['signing']): 'signer-away' | 'signing-stopped' | null {
  switch (signing) {
    case null:
    case 'active':
    case 'listening':
      return null
    case 'signer-away':
      return 'signer-away'
    case 'KEY_IN_USE_ELSEWHERE':
    case 'SIGNING_RECORD_BEHIND':
      return 'signing-stopped'
  }
}
