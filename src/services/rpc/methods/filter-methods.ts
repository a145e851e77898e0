import { type LogFilter, readLogFilter } from '../../../io/execution/embedded/queries/log-filter.js'
import { invalidParams, readString, serverError } from '../../../io/execution/embedded/queries/rpc-argument.js'
import { ExecutionRpcError, rpcErrorCodes } from '../../../io/execution/execution-rpc-error.js'
import type { FilterRegistry, FilterTopic } from '../filter-registry.js'
import type { CallContext, RpcCall, RpcMethods } from '../rpc-method.js'
import type { SlowLine } from '../slow-line.js'
import type { AskExecution } from './execution-methods.js'

/** Filters that are polled. */
export function filterMethods({
  filters,
  ask,
  slow,
}: {
  filters: FilterRegistry
  ask: Pick<AskExecution, 'text'>
  slow: SlowLine
}): RpcMethods {
  const install = (topic: FilterTopic, { host = null }: CallContext) => {
    const id = filters.install(topic, host)
    if (id === null)
      throw new ExecutionRpcError({
        code: rpcErrorCodes.limitExceeded,
        message: 'too many filters are installed, or they name too many addresses and topics',
      })
    return id
  }
  return {
    eth_newFilter({ args, params, context }) {
      const filter = args.required(readLogFilter)
      args.end()
      const { fromBlock, toBlock } = filter
      if (fromBlock?.by === 'number' && toBlock?.by === 'number' && fromBlock.number > toBlock.number)
        throw invalidParams('invalid block range params')
      return install({ kind: 'logs', filter, criteria: criteriaOf(params[0] as Criteria, filter) }, context)
    },
    eth_newBlockFilter({ args, context }) {
      args.end()
      return install({ kind: 'blocks' }, context)
    },
    eth_newPendingTransactionFilter({ args, context }) {
      args.end()
      return install({ kind: 'transactions' }, context)
    },
    eth_getFilterChanges(call) {
      const id = readId(call)
      return slow.run(call.context, function* () {
        const changes = filters.changes(id)
        if (!changes) throw serverError('filter not found')
        yield changes.text.length
        return changes
      })
    },
    async eth_getFilterLogs(call) {
      const topic = filters.topic(readId(call))
      if (topic?.kind !== 'logs') throw serverError('filter not found')
      return ask.text('eth_getLogs', [topic.criteria], call.context)
    },
    eth_uninstallFilter: call => filters.uninstall(readId(call)),
  }
}

type Criteria = Partial<Record<'fromBlock' | 'toBlock' | 'blockHash', unknown>>

/** What was read and checked of the caller's object, whatever else came with it; each address and topic once. */
function criteriaOf({ fromBlock, toBlock, blockHash }: Criteria, { addresses, topics }: LogFilter): unknown {
  return { address: [...addresses], topics: topics.map(names => [...names]), fromBlock, toBlock, blockHash }
}

function readId({ args }: RpcCall): `0x${string}` {
  const id = args.required(readString)
  args.end()
  return id as `0x${string}`
}
