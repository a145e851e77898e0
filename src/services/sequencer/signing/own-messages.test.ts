import { expect, it } from 'vitest'
import { zeroHash } from '../../../base/primitives/hashes.js'
import { prevote } from '../../../base/protocol/vote.js'
import { SignerRefusal } from '../../../io/keys/signer-refusal.js'
import { StorageError } from '../../../io/storage/storage-error.js'
import { silentLogger } from '../../../io/telemetry/logger.js'
import { OwnMessages, type OwnMessagesPorts } from './own-messages.js'

const full = new StorageError('DISK_FULL', 'no space is left')
const refused = new SignerRefusal('DOUBLE_VOTE', 'another vote is signed at this position', {} as never)
const content = { height: 7, round: 0, step: prevote, blockHash: zeroHash } as const

/** Asks for a vote whose tries end as listed; the errors that were told, and whether there is a vote. */
async function signing(ends: (Error | null)[]) {
  const errors: unknown[] = []
  let votes = 0
  let retry: (() => void) | undefined
  const ports = {
    wal: { sync: async () => {} },
    signer: {
      stop: null,
      signVote: async () => {
        const end = ends.shift()
        if (end) throw end
        return new Uint8Array(96)
      },
    },
    application: { extendVote: () => new Uint8Array(0) },
    progress: { signerAnswered: () => {}, signerRefused: () => {} },
    logger: { ...silentLogger, error: (_: string, { error }: { error: unknown }) => errors.push(error) },
    height: () => content.height,
    later: (_: number, task: () => void) => {
      retry = task
    },
    onVote: () => votes++,
  } as unknown as OwnMessagesPorts
  const messages = new OwnMessages(ports)
  const settled = () => new Promise<void>(resolve => setImmediate(resolve))
  for (
    let ask: (() => unknown) | undefined = () => messages.signVote({ content, polkaRound: -1 }, 0);
    ask;
    ask = retry
  ) {
    retry = undefined
    ask()
    await settled()
  }
  return { errors, votes }
}

it('tells once why a vote is not signed while it is tried again, and again when the reason is another', async () => {
  expect(await signing([full, full, full, null])).toEqual({ errors: [full], votes: 1 })
  const away = new Error('the signer is away')
  expect(await signing([full, away, away, null])).toEqual({ errors: [full, away], votes: 1 })
})

it('does not try again what the signer refused', async () => {
  expect(await signing([refused, null])).toEqual({ errors: [refused], votes: 0 })
})
