import type { BlsSecretKey } from '../../base/crypto/bls.js'
import type { SignerAddress } from '../../io/keys/signer-address.js'
import type { LogLevel } from '../../io/telemetry/pino-logger.js'
import type { NetworkFile } from './network-file.js'

/** Where a sequencer's consensus key is: here, or with a signer process. */
export type SignerConfig =
  | {
      readonly kind: 'local'
      readonly secretKey: BlsSecretKey
      /** The name of a stop, as the operator's word that what caused it was dealt with. */
      readonly resumes: string | null
      /** The operator's word that a missing signing record may be begun anew. */
      readonly beginsRecord: boolean
    }
  | { readonly kind: 'remote'; readonly address: SignerAddress; readonly token: string }

/** What one node needs to run. */
export interface NodeConfig {
  readonly version: string
  readonly network: NetworkFile
  readonly role: 'sequencer' | 'full'
  readonly dataDir: string
  readonly l1: {
    /** JSON-RPC endpoints; several are asked by quorum, and transactions go to all. */
    readonly rpcUrls: readonly [string, ...string[]]
    /** Endpoints that must agree; more than half unless told. */
    readonly quorum?: number
    /** The most that one transaction to L1 may cost, in wei; 1 ether unless told. */
    readonly feeCap?: bigint
  }
  readonly rpc: {
    readonly host: string
    readonly port: number
    /** Browser origins whose pages may call; none unless told. */
    readonly corsOrigins?: readonly string[]
    /** Names besides IP addresses by which it may be called; `localhost` unless told. */
    readonly virtualHosts?: readonly string[]
  }
  readonly metricsPort: number
  readonly p2p: { readonly host: string; readonly port: number; readonly peers: readonly string[] }
  readonly nodeKeyFile: string
  /** Null on a full node. */
  readonly sequencer: { readonly signer: SignerConfig; readonly submitterKey: Uint8Array | null } | null
  readonly logLevel: LogLevel
  /** Whether a sequencer keeps a trace of the calls of its application. */
  readonly tracesApplication: boolean
}
