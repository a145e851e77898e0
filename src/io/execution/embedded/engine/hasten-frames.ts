import { type EVM, EVMError, type ExecResult, type Message } from '@ethereumjs/evm'
import { Account, createZeroAddress } from '@ethereumjs/util'
import { invariant } from '../../../../base/primitives/invariant.js'

/** What the EVM library (10.1.3, pinned) runs a frame with. */
export interface FrameParts {
  /** Prototype of its interpreters. */
  readonly interpreter: object
  /** Prototype of their memories. */
  readonly memory: object
  readonly stack: new () => object
}

interface Frame {
  readonly _result: Pick<ExecResult, 'logs' | 'selfdestruct' | 'createdAddresses'> & {
    readonly returnValue?: Uint8Array
  }
  run(code: Uint8Array): Promise<{ readonly exceptionError: EVMError | undefined }>
}
interface RunState {
  readonly gasLeft: bigint
  readonly gasRefund: bigint
  readonly stateGasSpilled: bigint
}
/** The parts of the EVM that are private to it. */
interface EvmInternals extends Pick<EVM, 'stateManager' | 'blockchain' | 'common' | 'journal'> {
  readonly _tx: { readonly gasPrice: bigint; readonly origin?: unknown }
  readonly _block: unknown
  readonly performanceLogger: unknown
  runInterpreter(message: Message & { readonly code: Uint8Array }): Promise<ExecResult>
}

const nothing = new Uint8Array(0)

/**
 * Replaces how the EVM library makes the frame of a call and gives its result. The library's allocates 8 KiB of memory for
 * code that uses none, and copies the whole state of the interpreter into a result that nobody reads it from; the values here
 * are the same. @throws InvariantError when the library is not the one it was written for
 */
export function hastenFrames(evm: EVM, { interpreter, memory, stack: Stack }: FrameParts): void {
  const internals = evm as unknown as EvmInternals
  invariant(typeof internals.runInterpreter === 'function', 'the EVM library has the method that is replaced')
  internals.runInterpreter = async message => {
    const { stateManager, blockchain, common, journal, performanceLogger, _tx, _block } = internals
    const address = message.to ?? createZeroAddress()
    const env = {
      address,
      caller: message.caller,
      callData: message.data,
      callValue: message.value,
      code: message.code,
      isStatic: message.isStatic,
      isCreate: message.isCreate ?? false,
      depth: message.depth,
      gasPrice: _tx.gasPrice,
      origin: _tx.origin,
      block: _block,
      contract: (await stateManager.getAccount(address)) ?? new Account(),
      codeAddress: message.codeAddress,
      gasRefund: message.gasRefund,
      chargeCodeAccesses: message.chargeCodeAccesses,
      blobVersionedHashes: message.blobVersionedHashes ?? [],
      createdAddresses: message.createdAddresses,
    }
    const state = {
      programCounter: 0,
      opCode: 0xfe,
      // Grows when it is first written to or read.
      memory: Object.assign(Object.create(memory), { _store: nothing }),
      memoryWordCount: 0n,
      highestMemCost: 0n,
      stack: new Stack(),
      code: nothing,
      validJumps: nothing,
      cachedPushes: {},
      stateManager,
      blockchain,
      env,
      shouldDoJumpAnalysis: true,
      interpreter: null as unknown,
      gasRefund: message.gasRefund,
      gasLeft: message.gasLimit,
      stateGasSpilled: 0n,
      returnBytes: nothing,
    }
    const frame: Frame = Object.assign(Object.create(interpreter), {
      _evm: evm,
      _stateManager: stateManager,
      common,
      _runState: state,
      journal,
      _env: env,
      _result: {
        logs: [],
        returnValue: undefined,
        selfdestruct: message.selfdestruct ?? new Map(),
        createdAddresses: message.createdAddresses,
      },
      performanceLogger,
    })
    state.interpreter = frame
    const { exceptionError } = await frame.run(message.code)
    return resultOf(frame, { gasLimit: message.gasLimit, state, exceptionError })
  }
}

function resultOf(
  { _result }: Frame,
  { gasLimit, state, exceptionError }: { gasLimit: bigint; state: RunState; exceptionError: EVMError | undefined },
): ExecResult {
  const { gasLeft, gasRefund, stateGasSpilled } = state
  const rest = { gas: gasLeft, gasRefund, stateGasSpilled, returnValue: _result.returnValue ?? nothing }
  if (exceptionError === undefined) return { ..._result, ...rest, executionGasUsed: gasLimit - gasLeft }
  const keepsGas = exceptionError.error === EVMError.errorMessages.REVERT
  return {
    ...rest,
    logs: [],
    selfdestruct: new Map(),
    createdAddresses: new Set(),
    exceptionError,
    executionGasUsed: keepsGas ? gasLimit - gasLeft : gasLimit,
  }
}
