import { expect, it } from 'vitest'
import type { NodeStatus } from '../../services/rpc/morphism-queries.js'
import { nodeHealth } from './node-health.js'

const l1 = { behind: 0, lastSuccessMs: 0, error: null }
const health = (status: Partial<NodeStatus>, halt: Parameters<typeof nodeHealth>[0]['halt'] = null) =>
  nodeHealth({ status: { ready: true, syncing: false, signing: 'active', ...status } as NodeStatus, halt, l1 })

it.each<[boolean, string, Partial<NodeStatus>]>([
  [true, 'ok', {}],
  [true, 'ok', { signing: null }],
  [true, 'ok', { signing: 'listening' }],
  [false, 'syncing', { ready: false, syncing: true }],
  [false, 'starting', { ready: false }],
  [false, 'signer-away', { signing: 'signer-away' }],
  [false, 'signing-stopped', { signing: 'KEY_IN_USE_ELSEWHERE' }],
  [false, 'signing-stopped', { signing: 'SIGNING_RECORD_BEHIND', ready: false, syncing: true }],
])('is healthy: %s, as %s', (healthy, status, node) => {
  expect(health(node)).toMatchObject({ healthy, status })
})

it('says of a node without a version of the protocol what to do, before all else', () => {
  const halt = { reason: 'PROTOCOL_VERSION_UNKNOWN', height: 7, version: 2, own: 1, of: 'software' } as const
  expect(health({ ready: false, signing: 'signer-away' }, halt)).toMatchObject({
    healthy: false,
    status: 'halted',
    reason: halt.reason,
    detail: expect.stringContaining('must be upgraded'),
  })
})
