// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rollup} from "../src/Rollup.sol";
import {SequencerRegistry} from "../src/SequencerRegistry.sol";
import {System} from "./System.sol";

contract RollupTest is System {
    // ---- what is accepted

    function test_commits() public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes32 hash = rollup.hashHeader(header);
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        vm.expectEmit(true, true, true, true, ROLLUP);
        emit Rollup.BatchCommitted(1, hash, 1, 0);
        actAs(turnHolder(1));
        rollup.commitBatch(header, 0, signature);

        assertEq(rollup.lastCommittedBatch(), 1, "committed");
        assertEq(rollup.lastFinalizedBatch(), 0, "finalized");
        assertEq(rollup.batchHashOf(1), hash, "hash");
        assertEq(rollup.commitTimeOf(1), block.timestamp, "time");
        (uint64 index, bytes32 batchHash, uint64 lastBlock, uint64 timestamp,, uint64 setId, uint64 committedAt) =
            rollup.newestBatch();
        assertEq(index, 1, "index");
        assertEq(batchHash, hash, "newest hash");
        assertEq(lastBlock, 10, "last block");
        assertEq(timestamp, header.timestamp, "timestamp");
        assertEq(setId, 1, "set");
        assertEq(committedAt, block.timestamp, "commit time");
    }

    function test_commits_with_one_absent_and_many_blobs() public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory hashes;
        for (uint256 i = 0; i < 6; ++i) {
            hashes = abi.encodePacked(hashes, uint256(BLOB) + i);
        }
        header.blobHashesHash = keccak256(hashes);
        bytes memory signature = sign(header, 2);
        carryBlobs(6);
        vm.expectEmit(true, true, true, true, ROLLUP);
        emit Rollup.BatchCommitted(1, rollup.hashHeader(header), 1, 2);
        actAs(turnHolder(1));
        rollup.commitBatch(header, 2, signature);
    }

    function test_genesis_is_batch_0_and_final() public {
        Rollup.BatchHeader memory genesis;
        genesis.version = 1;
        genesis.lastBlockHash = keccak256("genesis block");
        genesis.postStateRoot = keccak256("genesis state");
        assertEq(rollup.batchHashOf(0), rollup.hashHeader(genesis), "hash");
        assertEq(rollup.lastCommittedBatch(), 0, "committed");
        assertEq(rollup.finalizedWithdrawalRoot(0), bytes32(0), "withdrawals");
        vm.expectRevert(abi.encodeWithSelector(Rollup.AlreadyFinalized.selector, 0, 0));
        rollup.finalizeBatch(0);
    }

    // ---- the chain of batches

    function test_refuses_another_version() public {
        Rollup.BatchHeader memory header = nextHeader();
        header.version = 2;
        commitRefused(header, abi.encodeWithSelector(Rollup.WrongVersion.selector, 2));
    }

    function testFuzz_refuses_another_index(uint64 index) public {
        vm.assume(index != 1);
        Rollup.BatchHeader memory header = nextHeader();
        header.batchIndex = index;
        commitRefused(header, abi.encodeWithSelector(Rollup.WrongBatchIndex.selector, 1, index));
    }

    function test_refuses_a_batch_twice() public {
        Rollup.BatchHeader memory header = nextHeader();
        commit(header);
        commitRefused(header, abi.encodeWithSelector(Rollup.WrongBatchIndex.selector, 2, 1));
    }

    function testFuzz_refuses_another_parent(bytes32 parent) public {
        vm.assume(parent != genesisHash);
        Rollup.BatchHeader memory header = nextHeader();
        header.parentBatchHash = parent;
        commitRefused(header, abi.encodeWithSelector(Rollup.WrongParent.selector, genesisHash, parent));
    }

    function testFuzz_refuses_a_gap_or_overlap_of_blocks(uint64 firstBlock) public {
        commit(nextHeader());
        vm.assume(firstBlock != 11);
        Rollup.BatchHeader memory header = nextHeader();
        header.firstBlock = firstBlock;
        commitRefused(header, abi.encodeWithSelector(Rollup.WrongFirstBlock.selector, 11, firstBlock));
    }

    function test_refuses_a_batch_without_blocks() public {
        Rollup.BatchHeader memory header = nextHeader();
        header.lastBlock = 0;
        commitRefused(header, abi.encodeWithSelector(Rollup.NoBlocks.selector, 1, 0));
        header.lastBlock = 1;
        commit(header);
    }

    function test_refuses_a_timestamp_before_the_parent() public {
        Rollup.BatchHeader memory header = nextHeader();
        uint64 time = header.timestamp;
        commit(header);
        header = nextHeader();
        header.timestamp = time - 1;
        commitRefused(header, abi.encodeWithSelector(Rollup.TimestampBeforeParent.selector, time, time - 1));
        header.timestamp = time;
        commit(header);
    }

    // ---- sets

    function test_refuses_a_set_that_is_not_elected() public {
        commit(nextHeader());
        Rollup.BatchHeader memory header = nextHeader();
        header.setId = 2;
        commitRefused(header, abi.encodeWithSelector(Rollup.UnknownSet.selector, 2));
        header.setId = 0;
        commitRefused(header, abi.encodeWithSelector(Rollup.SetNotActive.selector, 0, 1));
        header.setId = 3;
        commitRefused(header, abi.encodeWithSelector(Rollup.SetNotActive.selector, 3, 1));
    }

    function test_genesis_has_no_set() public {
        Rollup.BatchHeader memory header = nextHeader();
        header.setId = 0;
        commitRefused(header, abi.encodeWithSelector(Rollup.UnknownSet.selector, 0));
    }

    function test_next_set_takes_over_and_there_is_no_way_back() public {
        commit(nextHeader());
        SequencerRegistry.Member[] memory members = registry.members(1);
        vm.prank(address(staking));
        registry.createSet(members);
        commit(nextHeader()); // the current one may go on
        Rollup.BatchHeader memory header = nextHeader();
        header.setId = 2;
        commit(header);
        header = nextHeader();
        header.setId = 1;
        commitRefused(header, abi.encodeWithSelector(Rollup.SetNotActive.selector, 1, 2));
    }

    // ---- blobs

    function test_refuses_a_transaction_without_blobs() public {
        Rollup.BatchHeader memory header = nextHeader();
        header.blobHashesHash = keccak256("");
        bytes memory signature = sign(header, 0);
        actAs(turnHolder(1));
        vm.expectRevert(abi.encodeWithSelector(Rollup.NoBlobs.selector));
        rollup.commitBatch(header, 0, signature);
    }

    function testFuzz_refuses_a_flipped_bit_of_a_blob_hash(uint8 bit) public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = BLOB ^ bytes32(uint256(1) << bit);
        vm.blobhashes(hashes);
        actAs(turnHolder(1));
        vm.expectRevert(
            abi.encodeWithSelector(
                Rollup.BlobHashMismatch.selector, header.blobHashesHash, keccak256(abi.encodePacked(hashes))
            )
        );
        rollup.commitBatch(header, 0, signature);
    }

    function test_refuses_a_blob_too_many() public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        carryBlobs(2);
        bytes32 actual = keccak256(abi.encodePacked(BLOB, uint256(BLOB) + 1));
        actAs(turnHolder(1));
        vm.expectRevert(abi.encodeWithSelector(Rollup.BlobHashMismatch.selector, header.blobHashesHash, actual));
        rollup.commitBatch(header, 0, signature);
    }

    // ---- messages

    function test_refuses_to_give_messages_back() public {
        queue.depositETH{value: 1 gwei}(address(1));
        Rollup.BatchHeader memory header = nextHeader();
        _consume(header, 1);
        commit(header);
        header = nextHeader();
        _consume(header, 0);
        commitRefused(header, abi.encodeWithSelector(Rollup.MessagesConsumedBackwards.selector, 1, 0));
    }

    function testFuzz_refuses_messages_that_do_not_exist(uint64 consumed) public {
        queue.depositETH{value: 1 gwei}(address(1));
        vm.assume(consumed > 1);
        Rollup.BatchHeader memory header = nextHeader();
        header.messagesConsumed = consumed;
        commitRefused(header, abi.encodeWithSelector(Rollup.MessagesNotEnqueued.selector, 1, consumed));
    }

    function testFuzz_refuses_another_rolling_hash(bytes32 rollingHash) public {
        queue.depositETH{value: 1 gwei}(address(1));
        bytes32 right = queue.rollingHashAt(1);
        vm.assume(rollingHash != right);
        Rollup.BatchHeader memory header = nextHeader();
        header.messagesConsumed = 1;
        header.messagesRollingHash = rollingHash;
        commitRefused(header, abi.encodeWithSelector(Rollup.WrongRollingHash.selector, right, rollingHash));
    }

    function testFuzz_forced_inclusion_is_due_when_the_window_is_over(uint32 delay) public {
        uint64 enqueued = uint64(block.timestamp);
        queue.depositETH{value: 1 gwei}(address(1));
        queue.depositETH{value: 1 gwei}(address(1));
        Rollup.BatchHeader memory header = nextHeader();
        _consume(header, 1);
        header.timestamp = enqueued + delay;
        if (delay <= FORCED_WINDOW) {
            commit(header);
        } else {
            commitRefused(header, _overdue(1, enqueued));
            _consume(header, 2);
            commit(header);
        }
    }

    function testFuzz_an_overdue_batch_waits_for_a_second_window_and_no_longer(uint64 messages, uint32 wait) public {
        messages = uint64(bound(messages, 0, 3));
        uint64 enqueued = uint64(block.timestamp);
        for (uint256 i = 0; i < 4; ++i) {
            queue.depositETH{value: 1 gwei}(address(1));
        }
        vm.warp(enqueued + FORCED_WINDOW + 1);
        Rollup.BatchHeader memory header = nextHeader();
        _consume(header, messages);
        vm.warp(block.timestamp + wait);
        if (block.timestamp < enqueued + 2 * FORCED_WINDOW) {
            commitRefused(header, _overdue(messages, enqueued));
            vm.warp(enqueued + 2 * FORCED_WINDOW);
        }
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        vm.expectEmit(true, true, true, true, ROLLUP);
        emit Rollup.MessageOverdue(1, messages, enqueued);
        actAs(turnHolder(1));
        rollup.commitBatch(header, 0, signature);
        // What is late once holds up nothing that takes it.
        header = nextHeader();
        _consume(header, 4);
        commit(header);
    }

    function test_an_old_batch_is_committed_however_late() public {
        Rollup.BatchHeader memory header = nextHeader();
        vm.warp(block.timestamp + 10 * FORCED_WINDOW);
        queue.depositETH{value: 1 gwei}(address(1)); // came after the batch was signed
        vm.warp(block.timestamp + 10 * FORCED_WINDOW);
        commit(header);
    }

    function _overdue(uint64 messageIndex, uint64 enqueued) private pure returns (bytes memory) {
        uint256 until = uint256(enqueued) + 2 * FORCED_WINDOW;
        return abi.encodeWithSelector(Rollup.ForcedInclusionMissed.selector, messageIndex, enqueued, until);
    }

    // ---- origin

    function test_refuses_a_batch_from_another_contract_or_an_account_with_code() public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotCodelessOrigin.selector));
        rollup.commitBatch(header, 0, signature);
        vm.prank(turnHolder(1), address(0xabc));
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotCodelessOrigin.selector));
        rollup.commitBatch(header, 0, signature);
        // What EIP-7702 leaves at an account that has become a contract.
        vm.etch(turnHolder(1), abi.encodePacked(hex"ef0100", address(this)));
        actAs(turnHolder(1));
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotCodelessOrigin.selector));
        rollup.commitBatch(header, 0, signature);
        vm.etch(turnHolder(1), "");
        commit(header);
    }

    // ---- turns

    function test_turns_go_around_the_set() public {
        for (uint64 i = 1; i <= 5; ++i) {
            Rollup.BatchHeader memory header = nextHeader();
            bytes memory signature = sign(header, 0);
            carryBlobs(1);
            address other = turnHolder(i + 1);
            actAs(other);
            vm.expectRevert(
                abi.encodeWithSelector(Rollup.NotYourTurn.selector, i % 4, turnHolder(i), block.timestamp + TURN)
            );
            rollup.commitBatch(header, 0, signature);
            actAs(turnHolder(i));
            rollup.commitBatch(header, 0, signature);
        }
    }

    function test_anybody_commits_after_the_turn_and_the_miss_is_counted() public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        vm.warp(GENESIS_TIME + TURN - 1);
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotYourTurn.selector, 1, turnHolder(1), GENESIS_TIME + TURN));
        actAs(address(0xabc));
        rollup.commitBatch(header, 0, signature);
        vm.warp(GENESIS_TIME + TURN);
        vm.expectEmit(true, true, true, true, ROLLUP);
        emit Rollup.TurnMissed(1, 1, 1);
        actAs(address(0xabc));
        rollup.commitBatch(header, 0, signature);
        assertEq(rollup.missedTurns(1, 1), 1, "counted");
        assertEq(rollup.missedTurns(1, 2), 0, "only the one");
    }

    function test_a_turn_holder_that_is_late_has_missed_its_turn() public {
        Rollup.BatchHeader memory header = nextHeader();
        vm.warp(GENESIS_TIME + TURN - 1);
        commit(header);
        assertEq(rollup.missedTurns(1, 1), 0, "in its last second");
        header = nextHeader();
        vm.warp(block.timestamp + TURN);
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        vm.expectEmit(true, true, true, true, ROLLUP);
        emit Rollup.TurnMissed(2, 1, 2);
        actAs(turnHolder(2));
        rollup.commitBatch(header, 0, signature);
        assertEq(rollup.missedTurns(1, 2), 1, "after it");
    }

    function test_the_turn_starts_when_the_batch_is_made() public {
        Rollup.BatchHeader memory header = nextHeader();
        header.timestamp += 100;
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        vm.warp(header.timestamp + TURN - 1);
        vm.expectRevert(
            abi.encodeWithSelector(Rollup.NotYourTurn.selector, 1, turnHolder(1), uint256(header.timestamp) + TURN)
        );
        actAs(address(0xabc));
        rollup.commitBatch(header, 0, signature);
        vm.warp(header.timestamp + TURN);
        actAs(address(0xabc));
        rollup.commitBatch(header, 0, signature);
    }

    function test_a_batch_that_is_late_leaves_its_holder_a_fifth_of_a_turn() public {
        Rollup.BatchHeader memory header = nextHeader();
        uint64 time = header.timestamp;
        vm.warp(GENESIS_TIME + 500);
        commit(header);
        header = nextHeader();
        header.timestamp = time;
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        uint256 until = GENESIS_TIME + 500 + TURN / 5;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotYourTurn.selector, 2, turnHolder(2), until));
        actAs(address(0xabc));
        rollup.commitBatch(header, 0, signature);
        vm.warp(until);
        actAs(address(0xabc));
        rollup.commitBatch(header, 0, signature);
        assertEq(rollup.missedTurns(1, 2), 1, "counted");
    }

    // The defaults of a public network, in seconds: a batch a minute. Twelve of 16 seats are an enemy's, with little power.
    function test_seats_that_let_every_turn_pass_delay_batches_by_one_turn_at_most() public {
        (uint64 turn, uint64 slot, uint64 interval) = (120, 12, 60);
        delete secrets;
        deploy(1 ether, 4, 128);
        deployRollup(turn, 65);
        for (uint256 i = 0; i < 16; ++i) {
            secrets.push(uint256(keccak256(abi.encode("secret", i))) >> 2);
            registerAs(operatorOf(i), secrets[i], i < 4 ? 1000 ether : 1 ether);
        }
        staking.elect();
        for (uint64 i = 1; i <= 64; ++i) {
            Rollup.BatchHeader memory header = nextHeader();
            header.timestamp = uint64(GENESIS_TIME) + i * interval;
            (,,,,,, uint64 parentAt) = rollup.newestBatch();
            (uint256 seat, address poster) = registry.turnOf(1, i);
            if (seat < 4) {
                vm.warp((header.timestamp > parentAt ? header.timestamp : parentAt) + slot);
            } else {
                (uint64 whole, uint64 late) = (header.timestamp + turn, parentAt + turn / 5);
                vm.warp(whole > late ? whole : late);
                poster = submitterOf(operatorOf(0));
            }
            bytes memory signature = sign(header, 0xfff0);
            carryBlobs(1);
            actAs(poster);
            rollup.commitBatch(header, 0xfff0, signature);
            assertTrue(block.timestamp - header.timestamp <= turn, "lag");
        }
        for (uint256 i = 0; i < 16; ++i) {
            assertEq(rollup.missedTurns(1, i), i < 4 ? 0 : 4, "each of their turns");
        }
    }

    // ---- the quorum

    function testFuzz_refuses_a_flipped_bit_of_the_header(uint8 bit, uint8 field) public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        field = uint8(bound(field, 0, 3));
        bytes32 flip = bytes32(uint256(1) << bit);
        // The fields that nothing but the signature binds; the tests above and below have the others.
        if (field == 0) header.lastBlockHash ^= flip;
        else if (field == 1) header.postStateRoot ^= flip;
        else if (field == 2) header.withdrawalRoot ^= flip;
        else header.lastBlock ^= uint64(1) << 4 + bit % 60;
        bytes32 digest = rollup.attestationDigest(1, rollup.hashHeader(header));
        carryBlobs(1);
        actAs(turnHolder(1));
        vm.expectRevert(abi.encodeWithSelector(Rollup.SignatureInvalid.selector, digest));
        rollup.commitBatch(header, 0, signature);
    }

    function testFuzz_any_flipped_bit_of_the_calldata_header_is_refused(uint256 bit) public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory call = abi.encodeCall(Rollup.commitBatch, (header, 0, sign(header, 0)));
        bit = bound(bit, 0, 13 * 256 - 1);
        call[4 + bit / 8] ^= bytes1(uint8(1 << bit % 8));
        carryBlobs(1);
        actAs(turnHolder(1));
        (bool ok,) = ROLLUP.call{gas: 10_000_000}(call);
        assertTrue(!ok, "accepted");
        assertEq(rollup.lastCommittedBatch(), 0, "nothing changed");
    }

    function testFuzz_refuses_a_flipped_bit_of_the_signature(uint256 bit) public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        bit = bound(bit, 0, 2047);
        signature[bit / 8] ^= bytes1(uint8(1 << bit % 8));
        _refusedCertificate(header, 0, signature, Rollup.SignatureInvalid.selector);
    }

    function testFuzz_refuses_a_flipped_bit_of_the_bitmap(uint8 bit) public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        uint256 absent = uint256(1) << bit;
        bytes4 reason = bit < 4 ? Rollup.SignatureInvalid.selector : Rollup.AbsentOutOfRange.selector;
        _refusedCertificate(header, absent, signature, reason);
    }

    function testFuzz_refuses_more_than_a_third_absent(uint8 bitmap) public {
        uint256 absent = bound(bitmap, 1, 15);
        vm.assume(absent & absent - 1 != 0); // two of four equal ones, or more
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = absent == 15 ? new bytes(256) : sign(header, absent);
        _refusedCertificate(header, absent, signature, Rollup.QuorumNotReached.selector);
    }

    function test_refuses_signatures_of_another_rollup_or_chain() public {
        Rollup.BatchHeader memory header = nextHeader();
        bytes memory signature = sign(header, 0);
        vm.chainId(1);
        _refusedCertificate(header, 0, signature, Rollup.SignatureInvalid.selector);
    }

    function test_refuses_malformed_signatures() public {
        Rollup.BatchHeader memory header = nextHeader();
        _refusedCertificate(header, 0, "", Rollup.SignatureInvalid.selector);
        _refusedCertificate(header, 0, new bytes(256), Rollup.SignatureInvalid.selector);
        _refusedCertificate(header, 0, abi.encodePacked(sign(header, 0), uint8(0)), Rollup.SignatureInvalid.selector);
    }

    // ---- finality

    function test_finalizes_several_at_once_after_the_window() public {
        for (uint256 i = 0; i < 3; ++i) {
            vm.warp(block.timestamp + 10);
            commit(nextHeader());
        }
        uint256 until = block.timestamp + CHALLENGE_WINDOW;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(Rollup.ChallengeWindowOpen.selector, 3, until));
        rollup.finalizeBatch(3);
        rollup.finalizeBatch(1);
        assertEq(rollup.lastFinalizedBatch(), 1, "first alone");
        vm.warp(until);
        for (uint64 i = 2; i <= 3; ++i) {
            vm.expectEmit(true, true, true, true, ROLLUP);
            emit Rollup.BatchFinalized(i, rollup.batchHashOf(i));
        }
        actAs(address(0xabc)); // anybody
        rollup.finalizeBatch(3);
        assertEq(rollup.lastFinalizedBatch(), 3, "all");
        assertEq(rollup.finalizedWithdrawalRoot(2), keccak256(abi.encode("withdrawals", uint64(20))), "root of 2");
        assertEq(rollup.finalizedWithdrawalRoot(3), keccak256(abi.encode("withdrawals", uint64(30))), "root of 3");
        vm.expectRevert(abi.encodeWithSelector(Rollup.AlreadyFinalized.selector, 3, 3));
        rollup.finalizeBatch(3);
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotCommitted.selector, 4, 3));
        rollup.finalizeBatch(4);
    }

    function test_withdrawal_root_is_withheld_until_final() public {
        commit(nextHeader());
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotFinalized.selector, 1, 0));
        rollup.finalizedWithdrawalRoot(1);
        vm.expectRevert(abi.encodeWithSelector(Rollup.NotCommitted.selector, 2, 1));
        rollup.batchHashOf(2);
    }

    function test_ring_refuses_to_forget_what_is_not_final() public {
        for (uint256 i = 1; i < RING; ++i) {
            commit(nextHeader());
        }
        commitRefused(nextHeader(), abi.encodeWithSelector(Rollup.TooManyUnfinalizedBatches.selector, 0, RING));
        vm.warp(block.timestamp + CHALLENGE_WINDOW);
        rollup.finalizeBatch(1);
        commit(nextHeader());
        vm.expectRevert(abi.encodeWithSelector(Rollup.BatchForgotten.selector, 0, 1));
        rollup.batchHashOf(0);
        rollup.finalizedWithdrawalRoot(1); // the newest final one is kept
    }

    // ---- construction

    function test_refuses_a_staking_contract_of_another_rollup() public {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(abi.encodeWithSelector(Rollup.WrongStaking.selector, next, ROLLUP));
        new Rollup(registry, queue, 1, 1, 1, 2, 0, 0);
    }

    function test_refuses_a_registry_that_the_staking_contract_does_not_fill() public {
        SequencerRegistry other = new SequencerRegistry(address(staking));
        vm.etch(
            ROLLUP,
            abi.encodePacked(
                type(Rollup).creationCode,
                abi.encode(other, queue, CHALLENGE_WINDOW, TURN, FORCED_WINDOW, RING, bytes32(0), bytes32(0))
            )
        );
        (bool ok, bytes memory reason) = ROLLUP.call("");
        assertTrue(!ok, "constructed");
        assertEq(
            reason, abi.encodeWithSelector(Rollup.WrongRegistry.selector, address(registry), address(other)), "reason"
        );
    }

    function test_refuses_a_ring_of_one() public {
        vm.etch(
            ROLLUP,
            abi.encodePacked(
                type(Rollup).creationCode,
                abi.encode(registry, queue, CHALLENGE_WINDOW, TURN, FORCED_WINDOW, 1, bytes32(0), bytes32(0))
            )
        );
        (bool ok, bytes memory reason) = ROLLUP.call("");
        assertTrue(!ok, "constructed");
        assertEq(reason, abi.encodeWithSelector(Rollup.RingTooSmall.selector, 1), "reason");
    }

    function test_refuses_no_queue_and_no_time_for_messages() public {
        bytes memory code = type(Rollup).creationCode;
        bytes[2] memory arguments = [
            abi.encode(registry, address(0xabc), CHALLENGE_WINDOW, TURN, FORCED_WINDOW, RING, bytes32(0), bytes32(0)),
            abi.encode(registry, queue, CHALLENGE_WINDOW, TURN, 0, RING, bytes32(0), bytes32(0))
        ];
        for (uint256 i = 0; i < 2; ++i) {
            vm.etch(ROLLUP, abi.encodePacked(code, arguments[i]));
            (bool ok, bytes memory reason) = ROLLUP.call("");
            assertTrue(!ok, "constructed");
            assertEq(reason, abi.encodeWithSelector(Rollup.WrongParameters.selector), "reason");
        }
    }

    function _consume(Rollup.BatchHeader memory header, uint64 consumed) private view {
        header.messagesConsumed = consumed;
        header.messagesRollingHash = queue.rollingHashAt(consumed);
    }

    function _refusedCertificate(
        Rollup.BatchHeader memory header,
        uint256 absent,
        bytes memory signature,
        bytes4 reason
    ) private {
        bytes memory expected;
        if (reason == Rollup.SignatureInvalid.selector) {
            expected = abi.encodeWithSelector(reason, rollup.attestationDigest(1, rollup.hashHeader(header)));
        } else {
            expected = abi.encodeWithSelector(reason, 1, absent);
        }
        carryBlobs(1);
        actAs(turnHolder(1));
        vm.expectRevert(expected);
        rollup.commitBatch{gas: 30_000_000}(header, absent, signature);
    }
}
