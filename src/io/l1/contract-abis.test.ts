import { readFileSync } from 'node:fs'
import type { Abi } from 'viem'
import { expect, test } from 'vitest'
import { messageQueueAbi, registryAbi, rollupAbi, stakingAbi } from './contract-abis.js'

const artifactAbi = (name: string): Abi =>
  JSON.parse(readFileSync(new URL(`../../../../contracts/artifacts/${name}.json`, import.meta.url), 'utf8')).abi

interface Parameter {
  readonly type: string
  readonly name?: string | undefined
  readonly indexed?: boolean | undefined
  readonly components?: readonly Parameter[]
}

/** Everything that decides how a call, an answer, a log or an error is coded. */
function shapes(abi: Abi): string[] {
  const shape = ({ type, name, indexed, components }: Parameter): string =>
    `${type}${components ? `(${components.map(shape)})` : ''}${indexed ? ' indexed' : ''} ${name ?? ''}`
  return abi.flatMap(item => {
    if (item.type === 'function')
      return [`function ${item.name}(${item.inputs.map(shape)}) ${item.stateMutability} (${item.outputs.map(shape)})`]
    if (item.type === 'event' || item.type === 'error') return [`${item.type} ${item.name}(${item.inputs.map(shape)})`]
    return []
  })
}

test.each([
  { name: 'Rollup', abi: rollupAbi },
  { name: 'MessageQueue', abi: messageQueueAbi },
  { name: 'SequencerRegistry', abi: registryAbi },
  { name: 'SequencerStaking', abi: stakingAbi },
])('what is declared of $name is in its artifact, and no error is left out', ({ name, abi }) => {
  const compiled = shapes(artifactAbi(name))
  const declared = shapes(abi)
  expect(compiled).toEqual(expect.arrayContaining(declared))
  const errors = (list: string[]) => list.filter(shape => shape.startsWith('error')).sort()
  expect(errors(declared)).toEqual(errors(compiled))
})
