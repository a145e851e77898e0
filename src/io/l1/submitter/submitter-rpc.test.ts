import { HttpRequestError, type PublicClient, RpcRequestError } from 'viem'
import { expect, test } from 'vitest'
import { zeroAddress } from '../../../base/primitives/hashes.js'
import { createViemSubmitterRpc } from './submitter-rpc.js'

const rpcUrl = 'http://l1.example/v3/hunter2'

/** An endpoint that answers everything with an error. */
function failing(error: unknown) {
  const fail = () => Promise.reject(error)
  const client = { request: fail, getTransactionCount: fail } as unknown as PublicClient
  return createViemSubmitterRpc({ client, rpcUrl, account: zeroAddress, contract: zeroAddress })
}
const saying = (message: string, code = -32000) =>
  failing(new RpcRequestError({ body: {}, error: { code, message }, url: rpcUrl }))
const sendTo = (message: string) => saying(message).send(Uint8Array.of(2))

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

test('a key in its URL that an endpoint repeats is in none of its errors', async () => {
  const call = { data: '0x12', gasLimit: 1n, blobVersionedHashes: [] } as const
  const repeated = saying('project hunter2 is over its limit')
  const notFound = failing(new HttpRequestError({ url: rpcUrl, status: 404, details: 'Cannot POST /v3/hunter2' }))
  const garbled = failing(new SyntaxError('Unexpected token, "hunter2" is not valid JSON'))
  for (const endpoint of [repeated, notFound, garbled])
    for (const request of [endpoint.nonce(), endpoint.send(Uint8Array.of(2)), endpoint.refusal(call)]) {
      const error: unknown = await request.catch(thrown => thrown)
      expect(error).toBeInstanceOf(Error)
      for (let at = error; at instanceof Error; at = at.cause)
        expect(`${at.message} ${at.stack?.split('\n')[0]}`).not.toContain('hunter2')
    }
  expect(await saying('reverted by hunter2', 3).refusal(call)).toEqual({
    errorName: 'Reverted',
    detail: 'reverted by …',
  })
})

test('a key that is a word does not change what is understood', async () => {
  const error = new RpcRequestError({ body: {}, error: { code: -32000, message: 'nonce too low' }, url: rpcUrl })
  const client = { request: () => Promise.reject(error) } as unknown as PublicClient
  const rpc = createViemSubmitterRpc({
    client,
    rpcUrl: 'http://o:n@l1.example',
    account: zeroAddress,
    contract: zeroAddress,
  })
  expect(await rpc.send(Uint8Array.of(2))).toBe('nonce-used')
})
