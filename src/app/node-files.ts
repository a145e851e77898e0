import { signingRecordName } from '../io/keys/file-signing-record.js'

/** Names of the files in a data directory that more than one place opens. */
export const nodeFiles = {
  consensusLog: 'consensus-wal',
  /** Ed25519 seed of the peer id. */
  nodeKey: 'node-key',
  signingRecord: signingRecordName,
  /** What a node of a devnet is started with, and where its output goes. */
  keystore: 'keystore.json',
  password: 'password',
  submitterKey: 'submitter-key',
  output: 'node.log',
} as const

/** What stays when a node is wiped: its keys, and the record of what it signed, without which it could sign twice. */
export const filesOfIdentity: ReadonlySet<string> = new Set([
  nodeFiles.nodeKey,
  nodeFiles.signingRecord,
  nodeFiles.keystore,
  nodeFiles.password,
  nodeFiles.submitterKey,
])
