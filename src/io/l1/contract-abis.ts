import { parseAbi } from 'viem'

/** What nodes call and read of Rollup.sol. */
export const rollupAbi = parseAbi([
  'struct BatchHeader { uint8 version; uint64 batchIndex; bytes32 parentBatchHash; uint64 setId; uint64 firstBlock; uint64 lastBlock; bytes32 lastBlockHash; bytes32 postStateRoot; bytes32 withdrawalRoot; uint64 messagesConsumed; bytes32 messagesRollingHash; uint64 timestamp; bytes32 blobHashesHash; }',
  'function commitBatch(BatchHeader header, uint256 absent, bytes signature)',
  'function finalizeBatch(uint64 batchIndex)',
  'function lastCommittedBatch() view returns (uint64)',
  'function lastFinalizedBatch() view returns (uint64)',
  'function commitTimeOf(uint64 batchIndex) view returns (uint64)',
  'event BatchCommitted(uint64 indexed batchIndex, bytes32 indexed batchHash, uint64 setId, uint256 absent)',
  'event BatchFinalized(uint64 indexed batchIndex, bytes32 indexed batchHash)',
  'error WrongStaking(address expectedRollup, address actualRollup)',
  'error WrongRegistry(address expectedRegistry, address actualRegistry)',
  'error WrongParameters()',
  'error RingTooSmall(uint64 ringSize)',
  'error WrongVersion(uint8 version)',
  'error WrongBatchIndex(uint64 expected, uint64 actual)',
  'error WrongParent(bytes32 expected, bytes32 actual)',
  'error WrongFirstBlock(uint64 expected, uint64 actual)',
  'error NoBlocks(uint64 firstBlock, uint64 lastBlock)',
  'error TimestampBeforeParent(uint64 parentTimestamp, uint64 timestamp)',
  'error SetNotActive(uint64 setId, uint64 currentSetId)',
  'error UnknownSet(uint256 setId)',
  'error TooManyUnfinalizedBatches(uint64 lastFinalized, uint64 ringSize)',
  'error NoBlobs()',
  'error BlobHashMismatch(bytes32 expected, bytes32 actual)',
  'error MessagesConsumedBackwards(uint64 parentConsumed, uint64 consumed)',
  'error MessagesNotEnqueued(uint64 count, uint64 consumed)',
  'error WrongRollingHash(bytes32 expected, bytes32 actual)',
  'error ForcedInclusionMissed(uint64 messageIndex, uint64 enqueuedAt, uint256 until)',
  'error NotCodelessOrigin()',
  'error NotYourTurn(uint256 memberIndex, address submitter, uint256 until)',
  'error AbsentOutOfRange(uint64 setId, uint256 absent)',
  'error QuorumNotReached(uint64 setId, uint256 absent)',
  'error SignatureInvalid(bytes32 digest)',
  'error NotCommitted(uint64 batchIndex, uint64 lastCommitted)',
  'error AlreadyFinalized(uint64 batchIndex, uint64 lastFinalized)',
  'error ChallengeWindowOpen(uint64 batchIndex, uint256 until)',
  'error NotFinalized(uint64 batchIndex, uint64 lastFinalized)',
  'error BatchForgotten(uint64 batchIndex, uint64 oldest)',
])

/** What nodes and users call and read of MessageQueue.sol. */
export const messageQueueAbi = parseAbi([
  'function depositETH(address to) payable',
  'function messageCount() view returns (uint64)',
  'event MessageEnqueued(uint64 indexed index, uint8 kind, address indexed sender, address indexed to, uint256 amount, bytes data, bytes32 rollingHash)',
  'error AmountIsZero()',
  'error NotWholeGwei(uint256 amount)',
  'error UnknownMessage(uint64 asked, uint64 count)',
])

/** What nodes read of SequencerRegistry.sol. */
export const registryAbi = parseAbi([
  'struct Member { address operator; address submitter; address feeRecipient; uint64 power; bytes publicKey; }',
  'function members(uint256 setId) view returns (Member[] all)',
  'function latestSetId() view returns (uint256)',
  'function verify(uint256 setId, bytes32 digest, uint256 absent, bytes signature) view returns (bool)',
  'error NotStaking(address caller)',
  'error WrongSetSize(uint256 size)',
  'error PowerIsZero(uint256 index)',
  'error UnknownSet(uint256 setId)',
  'error UnknownMember(uint256 setId, uint256 index)',
  'error InvalidG1Point()',
  'error TableNotCreated(uint256 length)',
])

/** What operators call of SequencerStaking.sol. */
export const stakingAbi = parseAbi([
  'function register(bytes publicKey, bytes proofOfPossession, address feeRecipient, address submitter) payable',
  'function elect() returns (uint256 setId)',
  'error WrongRegistry(address expectedStaking, address actualStaking)',
  'error WrongParameters()',
  'error StakeTooLow(uint256 stake, uint256 minStake)',
  'error NotWholeGwei(uint256 stake)',
  'error ZeroAddress()',
  'error WrongKeyLength(uint256 length)',
  'error WrongProofLength(uint256 length)',
  'error PointAtInfinity()',
  'error OperatorAlreadyRegistered(address operator)',
  'error KeyAlreadyRegistered(bytes32 publicKeyHash)',
  'error ProofOfPossessionInvalid()',
  'error TooFewSequencers(uint256 registered, uint256 minSequencers)',
  'error AlreadyElected(uint256 setId)',
  'error UnknownCandidate(uint256 index)',
])
