import type { Invariant, Violate } from './invariant-watch.js'

/** No node reports an honest member as having signed two conflicting messages. */
export function noFraming({
  isFaulty,
  violate,
}: {
  isFaulty: (member: number) => boolean
  violate: Violate
}): Invariant {
  return {
    name: 'no-framing',
    onLogged({ index }, message, fields) {
      if (message !== 'a sequencer signed two conflicting messages') return
      const { member } = fields as { readonly member: number }
      if (!isFaulty(member)) violate(`node ${index} accuses the honest member ${member}: ${JSON.stringify(fields)}`)
    },
  }
}
