import type { Common } from '@ethereumjs/common'
import { type EVM, EVMError } from '@ethereumjs/evm'
import { InvariantError, invariant } from '../../../../base/primitives/invariant.js'
import { type FrameParts, hastenFrames } from './hasten-frames.js'

// The parts of the EVM library's interpreter (10.1.3, pinned) that the loop below drives.
interface RunState {
  programCounter: number
  opCode: number
  code: Uint8Array
  validJumps: Uint8Array
  cachedPushes: Record<number, bigint>
  shouldDoJumpAnalysis: boolean
  readonly memoryWordCount: bigint
  readonly stack: { peek(): bigint[] }
  readonly memory: object
  readonly interpreter: Interpreter
}
interface OpcodeEntry {
  readonly opcodeInfo: {
    readonly feeBigInt: bigint
    readonly isAsync: boolean
    readonly dynamicGas: boolean
    readonly isInvalid: boolean
  }
  readonly opHandler: (runState: RunState, common: Common) => unknown
  readonly gasHandler: (runState: RunState, gas: bigint, common: Common) => Promise<bigint>
}
interface Interpreter {
  readonly _runState: RunState
  readonly _evm: { readonly _opcodeMap: OpcodeEntry[] }
  readonly common: Common
  useGas(gas: bigint): void
  _getValidJumpDestinations(code: Uint8Array): JumpAnalysis
  run(code: Uint8Array): Promise<{ runState: RunState; exceptionError: unknown }>
}
interface JumpAnalysis {
  readonly jumps: Uint8Array
  readonly pushes: Record<number, bigint>
}

const hastened = new WeakSet<Interpreter>()
const interrupts = new WeakMap<object, () => void>()
/** Opcodes of a frame between two calls of its interrupt, less one. */
const interruptMask = 255
const analyses = new WeakMap<Uint8Array, JumpAnalysis>()
const stop = 0x00
const memoryLoad = 0x51
const memoryStore = 0x52
const jump = 0x56
const jumpIf = 0x57

/**
 * Replaces the main loop of the EVM library's interpreter, which awaits twice at every opcode and analyses the jumps of a
 * contract anew in every call. This one runs the same handlers, awaits only where one is asynchronous, and keeps the analysis
 * for as long as the code; its frames are made as in hastenFrames. No tracing: nothing here listens to steps. @throws InvariantError when the library is not the one it was written for
 */
export async function hastenInterpreter(evm: EVM): Promise<void> {
  const { prototype, parts } = await interpreterOf(evm)
  hastenFrames(evm, parts)
  if (hastened.has(prototype)) return
  invariant(
    typeof prototype.run === 'function' && typeof prototype._getValidJumpDestinations === 'function',
    'the interpreter of the EVM library has the methods that are replaced',
  )
  prototype.run = run
  hastened.add(prototype)
}

/** Has this function called when a frame of the EVM begins, and then every few hundred opcodes; it may throw to end the execution. */
export function interruptOften(evm: EVM, interrupt: () => void): void {
  interrupts.set(evm, interrupt)
}

/** The prototypes of what an EVM runs a frame with, which the library does not export: caught while one stops. */
async function interpreterOf(evm: EVM): Promise<{ readonly prototype: Interpreter; readonly parts: FrameParts }> {
  const opcodes = (evm as unknown as Interpreter['_evm'])._opcodeMap
  const entry = opcodes[stop]
  invariant(entry !== undefined, 'the EVM library has its table of opcodes')
  let caught: { readonly prototype: Interpreter; readonly parts: FrameParts } | null = null
  opcodes[stop] = {
    ...entry,
    opHandler(runState, common) {
      const { interpreter, memory, stack } = runState
      const prototype = Object.getPrototypeOf(interpreter)
      const parts = { interpreter: prototype, memory: Object.getPrototypeOf(memory), stack: stack.constructor }
      caught = { prototype, parts: parts as FrameParts }
      return entry.opHandler(runState, common)
    },
  }
  try {
    await evm.runCode({ code: Uint8Array.of(stop) })
  } finally {
    opcodes[stop] = entry
  }
  if (caught === null) throw new InvariantError('an interpreter ran and was seen')
  return caught
}

async function run(this: Interpreter, code: Uint8Array): ReturnType<Interpreter['run']> {
  const runState = this._runState
  const { common } = this
  const opcodes = this._evm._opcodeMap
  const interrupt = interrupts.get(this._evm)
  let steps = 0
  runState.code = code
  let exceptionError: unknown
  try {
    while (runState.programCounter < code.length) {
      if (interrupt !== undefined && (steps++ & interruptMask) === 0) interrupt()
      const opCode = code[runState.programCounter]!
      const { opcodeInfo, opHandler, gasHandler } = opcodes[opCode]!
      runState.opCode = opCode
      if (runState.shouldDoJumpAnalysis && (opCode === jump || opCode === jumpIf)) analyse(this, code)
      let gas = opcodeInfo.feeBigInt
      if (opcodeInfo.dynamicGas && !isPaidMemory(opCode, runState)) gas = await gasHandler(runState, gas, common)
      if (opcodeInfo.isInvalid) throw new EVMError(EVMError.errorMessages.INVALID_OPCODE)
      this.useGas(gas)
      runState.programCounter++
      if (opcodeInfo.isAsync) await opHandler(runState, common)
      else opHandler(runState, common)
    }
  } catch (error) {
    const { errorType, error: name } = error as { errorType?: string; error?: string }
    if (errorType !== 'EVMError') throw error
    if (name !== 'stop') exceptionError = error
  }
  return { runState, exceptionError }
}

/** Whether a load or store of one word stays within memory that was paid for, so that it costs no more than its base. */
function isPaidMemory(opCode: number, { stack, memoryWordCount }: RunState): boolean {
  if (opCode !== memoryLoad && opCode !== memoryStore) return false
  return stack.peek()[0]! + 32n <= memoryWordCount * 32n
}

function analyse(interpreter: Interpreter, code: Uint8Array): void {
  let analysis = analyses.get(code)
  if (analysis === undefined) {
    analysis = interpreter._getValidJumpDestinations(code)
    analyses.set(code, analysis)
  }
  const runState = interpreter._runState
  runState.validJumps = analysis.jumps
  runState.cachedPushes = analysis.pushes
  runState.shouldDoJumpAnalysis = false
}
