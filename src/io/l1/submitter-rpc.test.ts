import { type PublicClient, RpcRequestError } from 'viem'
import { expect, test } from 'vitest'
import { zeroAddress } from '../../base/primitives/hashes.js'
import { createViemSubmitterRpc } from './submitter-rpc.js'

const sendTo = (message: string) => {
  const error = new RpcRequestError({ body: {}, error: { code: -32000, message }, url: 'http://l1' })
  const client = { request: () => Promise.reject(error) } as unknown as PublicClient
  return createViemSubmitterRpc({ client, account: zeroAddress, contract: zeroAddress }).send(Uint8Array.of(2))
}

test.each([
  ['already known', 'taken'],
  ['AlreadyKnown', 'taken'],
  ['replacement transaction underpriced', 'underpriced'],
  ['ReplacementNotAllowed', 'underpriced'],
  ['address already reserved', 'other-kind'],
  ['PendingTxsOfConflictingType', 'other-kind'],
  ['nonce too low: next nonce 8, tx nonce 7', 'nonce-used'],
  ['OldNonce', 'nonce-used'],
])('what an L1 node says of a transaction is understood: %s', async (message, answer) => {
  expect(await sendTo(message)).toBe(answer)
})

test('what else it says is a refusal', async () => {
  await expect(sendTo('insufficient funds for gas * price + value')).rejects.toMatchObject({ code: 'L1_REJECTED' })
})
