import { invalidParams, readString, serverError } from '../../io/execution/embedded/queries/rpc-argument.js'
import type { Logger } from '../../io/telemetry/logger.js'
import { type Clock, pause } from '../../io/time/clock.js'
import type { RpcMethods } from '../../services/rpc/rpc-method.js'
import type { Component, ComponentStatus } from './component.js'

/** How long an operator waits for a component; it goes on restarting after that. */
const restartWaitMs = 30_000

/** A component as `admin_components` shows it. */
export interface ComponentJson extends Omit<ComponentStatus, 'sinceMs'> {
  /** ISO 8601. */
  readonly since: string
}

type AnyComponent = Pick<Component<object>, 'name' | 'status' | 'restart'>

/** What an operator on this machine may do to a running node. */
export function adminMethods({
  components,
  clock,
  logger,
}: {
  components: readonly AnyComponent[]
  clock: Clock
  logger: Logger
}): RpcMethods {
  return {
    admin_components({ args }) {
      args.end()
      return components.map(component => componentJson(component.status()))
    },
    async admin_restart({ args }) {
      const name = args.required(readString)
      args.end()
      const component = components.find(known => known.name === name)
      if (!component) {
        const known = components.map(one => one.name).join(', ')
        throw invalidParams(`this node has no component '${name.slice(0, 100)}': it has ${known}`)
      }
      logger.info('an operator restarts a component', { component: name })
      await restartInTime(component, clock)
      return componentJson(component.status())
    },
  }
}

async function restartInTime(component: AnyComponent, clock: Clock): Promise<void> {
  const { name } = component
  const over = new AbortController()
  const late = pause(clock, restartWaitMs, over.signal).then(() => 'late' as const)
  try {
    if ((await Promise.race([component.restart(), late])) !== 'late') return
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw serverError(`the ${name} did not start again: ${reason}`)
  } finally {
    over.abort()
  }
  throw serverError(`the ${name} is still ${component.status().state} after ${restartWaitMs / 1_000} s`)
}

function componentJson({ sinceMs, ...status }: ComponentStatus): ComponentJson {
  return { ...status, since: new Date(sinceMs).toISOString() }
}
