import { weiPerGwei } from '../../../src/base/primitives/quantities.js'
import type { Block } from '../../../src/base/protocol/block.js'
import { ethDeposit, type L1Message } from '../../../src/base/protocol/l1-message.js'
import type { L1Reader } from '../../../src/io/l1/l1-client.js'
import { depositWithdrawal } from '../../../src/rules/blocks/block-withdrawals.js'
import type { Invariant, Violate } from './invariant-watch.js'

/** Every deposit that was minted stands on L1, in its order and once, at or before the origin of the block that minted it. */
export function deposits({
  reader,
  decided,
  violate,
}: {
  reader: L1Reader
  decided: readonly Block[]
  violate: Violate
}): Invariant {
  return {
    name: 'deposits',
    async atEnd() {
      const { number: last } = await reader.head()
      const events = await reader.events({ from: 0, to: last })
      const messages = events.flatMap(event => (event.type === 'message' ? [event.message] : []))
      let next = 0
      for (const { header, context, withdrawals } of decided) {
        const { number, hash } = { number: context.l1OriginNumber, hash: context.l1OriginHash }
        if ((await reader.block(number))?.hash !== hash)
          return violate(`the origin of block ${header.number}, ${number}, is not on L1`)
        for (const { validatorIndex, address, amount } of withdrawals) {
          if (validatorIndex !== depositWithdrawal) continue
          const message: L1Message | undefined = messages[next++]
          const isRight =
            message?.kind === ethDeposit &&
            message.to === address &&
            message.amount === amount * weiPerGwei &&
            message.l1BlockNumber <= number
          if (!isRight) return violate(`block ${header.number} mints deposit ${next - 1}, which L1 does not hold so`)
        }
        if (context.messagesConsumed !== next)
          return violate(
            `block ${header.number} says that ${context.messagesConsumed} messages are consumed, of ${next}`,
          )
      }
    },
  }
}
