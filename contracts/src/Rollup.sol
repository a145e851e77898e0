// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Eip712} from "./Eip712.sol";
import {MessageQueue} from "./MessageQueue.sol";
import {SequencerRegistry} from "./SequencerRegistry.sol";
import {SequencerStaking} from "./SequencerStaking.sol";

/// @title The chain of batches
/// @notice Accepts a batch when more than 2/3 of the power of the sequencer set has signed it and its data is in the blobs
/// of the same transaction; makes it final after the challenge window. Nobody owns or pauses this contract.
contract Rollup {
    /// @notice A run of whole L2 blocks. Its EIP-712 struct hash is the batch hash.
    /// @param version 1
    /// @param batchIndex number of the batch; genesis is 0
    /// @param parentBatchHash batch hash of the batch before
    /// @param setId set of sequencers that signs
    /// @param firstBlock number of the first L2 block
    /// @param lastBlock number of the last L2 block
    /// @param lastBlockHash hash of the last L2 block
    /// @param postStateRoot L2 state root after the last block
    /// @param withdrawalRoot root of L2ToL1Outbox after the last block
    /// @param messagesConsumed number of L1 messages consumed since genesis
    /// @param messagesRollingHash the queue's rolling hash of that many messages
    /// @param timestamp seconds, of the last block
    /// @param blobHashesHash keccak256 of the versioned hashes of the blobs, concatenated
    struct BatchHeader {
        uint8 version;
        uint64 batchIndex;
        bytes32 parentBatchHash;
        uint64 setId;
        uint64 firstBlock;
        uint64 lastBlock;
        bytes32 lastBlockHash;
        bytes32 postStateRoot;
        bytes32 withdrawalRoot;
        uint64 messagesConsumed;
        bytes32 messagesRollingHash;
        uint64 timestamp;
        bytes32 blobHashesHash;
    }

    /// @dev What is kept of the newest batch, in two slots.
    struct Head {
        uint64 committed;
        uint64 finalized;
        uint64 lastBlock;
        uint64 timestamp;
        uint64 messagesConsumed;
        uint64 setId;
        uint64 committedAt;
    }

    /// @dev What is kept of each batch.
    struct Batch {
        bytes32 batchHash;
        bytes32 withdrawalRoot;
        uint64 committedAt;
    }

    /// @notice A batch was accepted.
    event BatchCommitted(uint64 indexed batchIndex, bytes32 indexed batchHash, uint64 setId, uint256 absent);
    /// @notice A batch became final.
    event BatchFinalized(uint64 indexed batchIndex, bytes32 indexed batchHash);
    /// @notice The turn was over when the batch was posted, by whomever.
    event TurnMissed(uint64 indexed batchIndex, uint64 setId, uint256 memberIndex);
    /// @notice The batch left a message waiting for longer than the window, and had to wait for as long itself.
    event MessageOverdue(uint64 indexed batchIndex, uint64 indexed messageIndex, uint64 enqueuedAt);

    /// @notice The staking contract was deployed for another rollup.
    error WrongStaking(address expectedRollup, address actualRollup);
    /// @notice The staking contract records its sets in another registry.
    error WrongRegistry(address expectedRegistry, address actualRegistry);
    /// @notice There is no message queue at that address, or messages would have no time.
    error WrongParameters();
    /// @notice The ring must hold at least two batches.
    error RingTooSmall(uint64 ringSize);
    /// @notice Only version 1 exists.
    error WrongVersion(uint8 version);
    /// @notice Batches are committed one by one.
    error WrongBatchIndex(uint64 expected, uint64 actual);
    /// @notice The batch does not continue the newest one.
    error WrongParent(bytes32 expected, bytes32 actual);
    /// @notice The batch does not begin where the newest one ended.
    error WrongFirstBlock(uint64 expected, uint64 actual);
    /// @notice A batch has at least one block.
    error NoBlocks(uint64 firstBlock, uint64 lastBlock);
    /// @notice Time runs forward.
    error TimestampBeforeParent(uint64 parentTimestamp, uint64 timestamp);
    /// @notice A batch is signed by the set of its parent or the next one.
    error SetNotActive(uint64 setId, uint64 currentSetId);
    /// @notice The set has not been elected. Raised by the registry; declared here for those who decode errors by this ABI.
    error UnknownSet(uint256 setId);
    /// @notice The ring is full of batches that are not final: finalize some first.
    error TooManyUnfinalizedBatches(uint64 lastFinalized, uint64 ringSize);
    /// @notice The transaction carries no blobs.
    error NoBlobs();
    /// @notice The blobs of the transaction are not those that were signed.
    error BlobHashMismatch(bytes32 expected, bytes32 actual);
    /// @notice Messages cannot be given back.
    error MessagesConsumedBackwards(uint64 parentConsumed, uint64 consumed);
    /// @notice The batch consumes messages that do not exist.
    error MessagesNotEnqueued(uint64 count, uint64 consumed);
    /// @notice The batch consumed other messages than those of the queue.
    error WrongRollingHash(bytes32 expected, bytes32 actual);
    /// @notice The batch leaves a message waiting for longer than the window: it may be committed from that second on.
    error ForcedInclusionMissed(uint64 messageIndex, uint64 enqueuedAt, uint256 until);
    /// @notice A batch is posted by an account without code itself, so that its header can be read from the transaction.
    error NotCodelessOrigin();
    /// @notice The batch belongs to one submitter until that second.
    error NotYourTurn(uint256 memberIndex, address submitter, uint256 until);
    /// @notice The bitmap names members that the set does not have.
    error AbsentOutOfRange(uint64 setId, uint256 absent);
    /// @notice Signers have 2/3 of the power or less.
    error QuorumNotReached(uint64 setId, uint256 absent);
    /// @notice The aggregate signature is not that of the members who are said to have signed.
    error SignatureInvalid(bytes32 digest);
    /// @notice The batch does not exist yet.
    error NotCommitted(uint64 batchIndex, uint64 lastCommitted);
    /// @notice The batch is final already.
    error AlreadyFinalized(uint64 batchIndex, uint64 lastFinalized);
    /// @notice The batch can become final at that second.
    error ChallengeWindowOpen(uint64 batchIndex, uint256 until);
    /// @notice The batch is not final.
    error NotFinalized(uint64 batchIndex, uint64 lastFinalized);
    /// @notice The batch has been overwritten in the ring by a newer one.
    error BatchForgotten(uint64 batchIndex, uint64 oldest);

    bytes32 private constant HEADER_TYPEHASH = keccak256(
        "BatchHeader(uint8 version,uint64 batchIndex,bytes32 parentBatchHash,uint64 setId,uint64 firstBlock,uint64 lastBlock,bytes32 lastBlockHash,bytes32 postStateRoot,bytes32 withdrawalRoot,uint64 messagesConsumed,bytes32 messagesRollingHash,uint64 timestamp,bytes32 blobHashesHash)"
    );
    bytes32 private constant ATTESTATION_TYPEHASH = keccak256("BatchAttestation(uint64 batchIndex,bytes32 batchHash)");
    uint8 private constant VERSION = 1;

    /// @notice Where the sets are.
    SequencerRegistry public immutable registry;
    /// @notice Where the messages are.
    MessageQueue public immutable messageQueue;
    /// @notice Seconds between the commitment of a batch and its finality.
    uint64 public immutable challengeWindowSec;
    /// @notice Seconds after its timestamp for which the turn-holder alone may post a batch. A fifth of it, counted from the
    /// commitment of the parent, is the least that it has.
    uint64 public immutable submitterTurnSec;
    /// @notice Seconds within which a message must be consumed.
    uint64 public immutable forcedInclusionWindowSec;
    /// @notice Number of batches kept: at most this many less one may wait for finality.
    uint64 public immutable ringSize;

    Head private _head;
    mapping(uint256 place => Batch) private _ring;

    /// @notice How often a member of a set has let its turn pass.
    mapping(uint64 setId => mapping(uint256 memberIndex => uint256)) public missedTurns;

    /// @param registry_ the sets
    /// @param messageQueue_ the messages
    /// @param challengeWindowSec_ seconds
    /// @param submitterTurnSec_ seconds
    /// @param forcedInclusionWindowSec_ seconds
    /// @param ringSize_ more than the batches that are sealed in a challenge window
    /// @param genesisBlockHash hash of L2 block 0
    /// @param genesisStateRoot state root of L2 block 0
    constructor(
        SequencerRegistry registry_,
        MessageQueue messageQueue_,
        uint64 challengeWindowSec_,
        uint64 submitterTurnSec_,
        uint64 forcedInclusionWindowSec_,
        uint64 ringSize_,
        bytes32 genesisBlockHash,
        bytes32 genesisStateRoot
    ) {
        SequencerStaking staking = SequencerStaking(registry_.staking());
        if (staking.registry() != registry_) revert WrongRegistry(address(staking.registry()), address(registry_));
        address signedFor = staking.rollup();
        if (signedFor != address(this)) revert WrongStaking(address(this), signedFor);
        if (ringSize_ < 2) revert RingTooSmall(ringSize_);
        if (address(messageQueue_).code.length == 0 || forcedInclusionWindowSec_ == 0) revert WrongParameters();
        registry = registry_;
        messageQueue = messageQueue_;
        challengeWindowSec = challengeWindowSec_;
        submitterTurnSec = submitterTurnSec_;
        forcedInclusionWindowSec = forcedInclusionWindowSec_;
        ringSize = ringSize_;

        // Batch 0 is the L2 genesis: final from the start, everything not named here is zero.
        BatchHeader memory genesis;
        genesis.version = VERSION;
        genesis.lastBlockHash = genesisBlockHash;
        genesis.postStateRoot = genesisStateRoot;
        bytes32 genesisHash = keccak256(abi.encode(HEADER_TYPEHASH, genesis));
        _head.committedAt = uint64(block.timestamp);
        _ring[0] = Batch(genesisHash, 0, uint64(block.timestamp));
        emit BatchCommitted(0, genesisHash, 0, 0);
        emit BatchFinalized(0, genesisHash);
    }

    /// @notice Commits the next batch. The transaction carries its blobs, and calls this function itself.
    /// @param header the batch
    /// @param absent bit i is set when member i of the set did not sign
    /// @param signature aggregate over `attestationDigest(batchIndex, batchHash)`: 256 bytes, G2, coding of EIP-2537
    function commitBatch(BatchHeader calldata header, uint256 absent, bytes calldata signature) external {
        // What signers said is nowhere but in this call: behind a contract, or an account that has become one (EIP-7702), whoever
        // follows L1 would have to trace the transaction to find it.
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotCodelessOrigin();
        Head memory head = _head;
        _checkContinues(header, head);
        _checkBlobs(header.blobHashesHash);
        _checkMessages(header, head.messagesConsumed);
        _takeTurn(header, head.committedAt);
        bytes32 hash = keccak256(abi.encode(HEADER_TYPEHASH, header));
        _checkQuorum(header, hash, absent, signature);

        _ring[header.batchIndex % ringSize] = Batch(hash, header.withdrawalRoot, uint64(block.timestamp));
        _head = Head({
            committed: header.batchIndex,
            finalized: head.finalized,
            lastBlock: header.lastBlock,
            timestamp: header.timestamp,
            messagesConsumed: header.messagesConsumed,
            setId: header.setId,
            committedAt: uint64(block.timestamp)
        });
        emit BatchCommitted(header.batchIndex, hash, header.setId, absent);
    }

    /// @notice Makes every batch up to this one final. Anyone may call it, once the challenge window is over.
    function finalizeBatch(uint64 batchIndex) external {
        Head memory head = _head;
        if (batchIndex > head.committed) revert NotCommitted(batchIndex, head.committed);
        if (batchIndex <= head.finalized) revert AlreadyFinalized(batchIndex, head.finalized);
        // Commit times never fall, so the last one decides for all.
        uint256 until = uint256(_ring[batchIndex % ringSize].committedAt) + challengeWindowSec;
        if (block.timestamp < until) revert ChallengeWindowOpen(batchIndex, until);

        _head.finalized = batchIndex;
        for (uint64 i = head.finalized + 1; i <= batchIndex; ++i) {
            emit BatchFinalized(i, _ring[i % ringSize].batchHash);
        }
    }

    /// @notice Number of the newest batch.
    function lastCommittedBatch() external view returns (uint64) {
        return _head.committed;
    }

    /// @notice Number of the newest final batch.
    function lastFinalizedBatch() external view returns (uint64) {
        return _head.finalized;
    }

    /// @notice What the next batch has to continue.
    /// @return batchIndex number of the newest batch
    /// @return batchHash its hash
    /// @return lastBlock its last L2 block
    /// @return timestamp its timestamp, in seconds
    /// @return messagesConsumed messages consumed up to it
    /// @return setId set that signed it
    /// @return committedAt L1 time at which it was committed, in seconds
    function newestBatch()
        external
        view
        returns (
            uint64 batchIndex,
            bytes32 batchHash,
            uint64 lastBlock,
            uint64 timestamp,
            uint64 messagesConsumed,
            uint64 setId,
            uint64 committedAt
        )
    {
        Head memory head = _head;
        return (
            head.committed,
            _ring[head.committed % ringSize].batchHash,
            head.lastBlock,
            head.timestamp,
            head.messagesConsumed,
            head.setId,
            head.committedAt
        );
    }

    /// @notice Hash of a batch that is still in the ring.
    function batchHashOf(uint64 batchIndex) external view returns (bytes32) {
        return _kept(batchIndex).batchHash;
    }

    /// @notice L1 time in seconds at which a batch that is still in the ring was committed.
    function commitTimeOf(uint64 batchIndex) external view returns (uint64) {
        return _kept(batchIndex).committedAt;
    }

    /// @notice Withdrawal root of a final batch that is still in the ring. The newest final batch always is, and the outbox
    /// only grows: whatever was proven against an older root can be proven against a newer one.
    function finalizedWithdrawalRoot(uint64 batchIndex) external view returns (bytes32) {
        if (batchIndex > _head.finalized) revert NotFinalized(batchIndex, _head.finalized);
        return _kept(batchIndex).withdrawalRoot;
    }

    /// @notice The batch hash of a header: its EIP-712 struct hash.
    function hashHeader(BatchHeader calldata header) external pure returns (bytes32) {
        return keccak256(abi.encode(HEADER_TYPEHASH, header));
    }

    /// @notice What sequencers sign to attest a batch.
    function attestationDigest(uint64 batchIndex, bytes32 batchHash) public view returns (bytes32) {
        return Eip712.digest(address(this), keccak256(abi.encode(ATTESTATION_TYPEHASH, batchIndex, batchHash)));
    }

    function _checkContinues(BatchHeader calldata header, Head memory head) private view {
        if (header.version != VERSION) revert WrongVersion(header.version);
        uint64 index = head.committed + 1;
        if (header.batchIndex != index) revert WrongBatchIndex(index, header.batchIndex);
        bytes32 parent = _ring[head.committed % ringSize].batchHash;
        if (header.parentBatchHash != parent) revert WrongParent(parent, header.parentBatchHash);
        if (header.firstBlock != head.lastBlock + 1) revert WrongFirstBlock(head.lastBlock + 1, header.firstBlock);
        if (header.lastBlock < header.firstBlock) revert NoBlocks(header.firstBlock, header.lastBlock);
        if (header.timestamp < head.timestamp) revert TimestampBeforeParent(head.timestamp, header.timestamp);
        if (header.setId != head.setId && header.setId != head.setId + 1) {
            revert SetNotActive(header.setId, head.setId);
        }
        // The newest final batch stays in the ring.
        if (index - head.finalized >= ringSize) revert TooManyUnfinalizedBatches(head.finalized, ringSize);
    }

    function _checkBlobs(bytes32 expected) private view {
        bytes32 actual;
        uint256 count;
        assembly ("memory-safe") {
            let hashes := mload(0x40)
            for { let hash := blobhash(0) } hash { hash := blobhash(count) } {
                mstore(add(hashes, shl(5, count)), hash)
                count := add(count, 1)
            }
            actual := keccak256(hashes, shl(5, count))
        }
        if (count == 0) revert NoBlobs();
        if (actual != expected) revert BlobHashMismatch(expected, actual);
    }

    function _checkMessages(BatchHeader calldata header, uint64 parentConsumed) private {
        uint64 consumed = header.messagesConsumed;
        if (consumed < parentConsumed) revert MessagesConsumedBackwards(parentConsumed, consumed);
        uint64 count = messageQueue.messageCount();
        if (consumed > count) revert MessagesNotEnqueued(count, consumed);
        bytes32 rollingHash = messageQueue.rollingHashAt(consumed);
        if (header.messagesRollingHash != rollingHash) {
            revert WrongRollingHash(rollingHash, header.messagesRollingHash);
        }
        if (consumed == count) return;
        // Compared with the time that was signed, not with the clock: a batch that was right when it was signed can be
        // committed however late.
        uint64 enqueuedAt = messageQueue.enqueuedAt(consumed);
        uint256 due = uint256(enqueuedAt) + forcedInclusionWindowSec;
        if (header.timestamp <= due) return;
        // Refused for a second window, not for ever: nobody may sign another batch with this number, and an outage or an L1
        // that does not finalize brings honest sequencers here too.
        uint256 until = due + forcedInclusionWindowSec;
        if (block.timestamp < until) revert ForcedInclusionMissed(consumed, enqueuedAt, until);
        emit MessageOverdue(header.batchIndex, consumed, enqueuedAt);
    }

    /// @dev A batch that is late already leaves its holder a short turn only: backlogs must shrink while many turns are missed.
    function _takeTurn(BatchHeader calldata header, uint64 parentCommittedAt) private {
        uint64 setId = header.setId;
        (uint256 memberIndex, address submitter) = registry.turnOf(setId, header.batchIndex);
        uint256 whole = uint256(header.timestamp) + submitterTurnSec;
        uint256 late = uint256(parentCommittedAt) + submitterTurnSec / 5;
        uint256 until = whole > late ? whole : late;
        if (block.timestamp >= until) {
            ++missedTurns[setId][memberIndex];
            emit TurnMissed(header.batchIndex, setId, memberIndex);
        } else if (msg.sender != submitter) {
            revert NotYourTurn(memberIndex, submitter, until);
        }
    }

    function _checkQuorum(BatchHeader calldata header, bytes32 hash, uint256 absent, bytes calldata signature)
        private
        view
    {
        bytes32 digest = attestationDigest(header.batchIndex, hash);
        SequencerRegistry.Verdict verdict = registry.check(header.setId, digest, absent, signature);
        if (verdict == SequencerRegistry.Verdict.Valid) return;
        if (verdict == SequencerRegistry.Verdict.AbsentOutOfRange) revert AbsentOutOfRange(header.setId, absent);
        if (verdict == SequencerRegistry.Verdict.QuorumNotReached) revert QuorumNotReached(header.setId, absent);
        revert SignatureInvalid(digest);
    }

    function _kept(uint64 batchIndex) private view returns (Batch storage) {
        uint64 committed = _head.committed;
        if (batchIndex > committed) revert NotCommitted(batchIndex, committed);
        if (committed - batchIndex >= ringSize) revert BatchForgotten(batchIndex, committed - ringSize + 1);
        return _ring[batchIndex % ringSize];
    }
}
