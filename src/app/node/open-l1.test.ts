import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { createInlineKzg } from '../../io/kzg/inline-kzg.js'
import { type Logger, silentLogger } from '../../io/telemetry/logger.js'
import { PrometheusMetrics } from '../../io/telemetry/prometheus-metrics.js'
import { systemClock } from '../../io/time/system-clock.js'
import type { Frame } from './frame.js'
import { openReader } from './open-l1.js'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** An endpoint of this chain, whatever it is asked. */
async function endpointOf(chainId: number): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    const result = `0x${chainId.toString(16)}`
    const answers = [JSON.parse(body)].flat().map(({ id }) => ({ jsonrpc: '2.0', id, result }))
    response.end(JSON.stringify(answers))
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const unreachable = 'http://127.0.0.1:1'
const contract = (n: number) => `0x${`${n}`.repeat(40)}`

/** Opens a reader of a network on chain 31337; resolves with what was warned of. */
async function warnings(...rpcUrls: string[]): Promise<unknown[]> {
  const warned: unknown[] = []
  const logger: Logger = { ...silentLogger, warn: (message, fields) => warned.push({ message, ...fields }) }
  const contracts = { rollup: contract(1), registry: contract(2), staking: contract(3), messageQueue: contract(4) }
  const config = { network: { l1: { chainId: 31_337, contracts } }, l1: { rpcUrls } }
  const { signal: stopping } = new AbortController()
  await openReader(
    { config, clock: systemClock, logger, metrics: new PrometheusMetrics(), stopping } as unknown as Frame,
    createInlineKzg(),
  )
  return warned
}

it('refuses L1 of another chain, and names both', async () => {
  const both = expect.stringMatching(/L1 is chain 31337, and --l1-rpc leads to chain 1:/)
  await expect(warnings(await endpointOf(1))).rejects.toMatchObject({ code: 'WRONG_L1_CHAIN', message: both })
  const [one, other] = [await endpointOf(1), await endpointOf(10)]
  const all = expect.stringContaining('leads to chain 1, 10:')
  await expect(warnings(one, other)).rejects.toMatchObject({ code: 'WRONG_L1_CHAIN', message: all })
})

it('warns of one among several', async () => {
  const foreign = await endpointOf(1)
  expect(await warnings(await endpointOf(31_337), foreign)).toEqual([
    {
      message: 'an L1 endpoint is of another chain: it is not believed',
      endpoint: 1,
      url: foreign,
      expected: 31_337,
      found: 1,
    },
  ])
})

it('does not wait for one that cannot be asked', async () => {
  expect(await warnings(unreachable)).toEqual([])
  expect(await warnings(unreachable, await endpointOf(31_337))).toEqual([])
  expect(await warnings(unreachable, await endpointOf(1))).toHaveLength(1)
})
