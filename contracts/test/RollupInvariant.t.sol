// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rollup} from "../src/Rollup.sol";
import {System} from "./System.sol";

/// @dev Posts good and bad batches, finalizes, deposits and lets time pass, in any order.
contract RollupActor is System {
    bytes32[] public hashes;
    bytes32[] public withdrawals;
    uint256 public misses;

    constructor() {
        System.setUp();
        hashes.push(genesisHash);
        withdrawals.push(0);
    }

    /// @dev Nothing: the fuzzer calls every public function.
    function setUp() public override {}

    function commitNext(uint8 messages, uint8 absent, bool inTurn, uint8 age, bytes32 withdrawalRoot) external {
        Rollup.BatchHeader memory header = nextHeader();
        (,,, uint64 oldest,,, uint64 parentTime) = rollup.newestBatch();
        if (header.timestamp - age % (2 * TURN) > oldest) header.timestamp -= age % (2 * TURN);
        uint64 waiting = queue.messageCount() - header.messagesConsumed;
        header.messagesConsumed += uint64(bound(messages, 0, waiting));
        header.messagesRollingHash = queue.rollingHashAt(header.messagesConsumed);
        header.withdrawalRoot = withdrawalRoot;
        uint256 absentees = uint256(1) << bound(absent, 0, 4) & 15;
        bytes memory signature = sign(header, absentees);
        bytes32 hash = rollup.hashHeader(header);
        carryBlobs(1);
        address sender = inTurn ? turnHolder(header.batchIndex) : address(0xabc);
        bool isLate = header.messagesConsumed < queue.messageCount()
            && queue.enqueuedAt(header.messagesConsumed) + FORCED_WINDOW < header.timestamp
            && block.timestamp < queue.enqueuedAt(header.messagesConsumed) + 2 * FORCED_WINDOW;
        bool isFull = header.batchIndex - rollup.lastFinalizedBatch() >= RING;
        uint256 until = header.timestamp + TURN;
        if (parentTime + TURN / 5 > until) until = parentTime + TURN / 5;
        bool mayPost = inTurn || block.timestamp >= until;
        actAs(sender);
        try rollup.commitBatch(header, absentees, signature) {
            assertTrue(mayPost && !isLate && !isFull, "accepted what must be refused");
            hashes.push(hash);
            withdrawals.push(withdrawalRoot);
            if (block.timestamp >= until) ++misses;
        } catch {
            assertTrue(!mayPost || isLate || isFull, "refused what must be accepted");
        }
    }

    function commitLate(uint16 delay, bool inTurn) external {
        Rollup.BatchHeader memory header = nextHeader();
        header.messagesConsumed = queue.messageCount();
        header.messagesRollingHash = queue.rollingHashAt(header.messagesConsumed);
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        if (header.batchIndex - rollup.lastFinalizedBatch() >= RING) return;
        vm.warp(block.timestamp + TURN + delay);
        actAs(inTurn ? turnHolder(header.batchIndex) : address(0xabc));
        rollup.commitBatch(header, 0, signature);
        hashes.push(rollup.hashHeader(header));
        withdrawals.push(header.withdrawalRoot);
        ++misses;
    }

    function finalize(uint8 ahead) external {
        uint64 finalized = rollup.lastFinalizedBatch();
        uint64 target = finalized + uint64(bound(ahead, 0, 4));
        bool possible = target > finalized && target <= rollup.lastCommittedBatch()
            && block.timestamp >= rollup.commitTimeOf(target) + CHALLENGE_WINDOW;
        try rollup.finalizeBatch(target) {
            assertTrue(possible, "finalized too early");
        } catch {
            assertTrue(!possible, "not finalized in time");
        }
    }

    function deposit(uint32 gweis) external {
        vm.deal(address(this), 1 ether);
        queue.depositETH{value: (uint256(gweis) % 1e6 + 1) * 1 gwei}(address(1));
    }

    function wait_(uint16 delay) external {
        vm.warp(block.timestamp + delay % 700);
    }

    function count() external view returns (uint256) {
        return hashes.length;
    }
}

contract RollupInvariant is System {
    RollupActor private actor;

    function setUp() public override {
        actor = new RollupActor();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actor);
    }

    function invariant_the_chain_of_batches_is_what_was_accepted() public view {
        uint64 committed = rollup.lastCommittedBatch();
        uint64 finalized = rollup.lastFinalizedBatch();
        assertEq(committed + 1, actor.count(), "one batch an acceptance");
        assertTrue(finalized <= committed && committed - finalized < RING, "finality follows, and the ring suffices");
        uint64 oldest = committed < RING ? 0 : committed - RING + 1;
        assertTrue(oldest <= finalized, "the newest final batch is kept");
        for (uint64 i = oldest; i <= committed; ++i) {
            assertEq(rollup.batchHashOf(i), actor.hashes(i), "hash");
            if (i <= finalized) assertEq(rollup.finalizedWithdrawalRoot(i), actor.withdrawals(i), "withdrawal root");
        }
        uint256 misses;
        for (uint256 i = 0; i < 4; ++i) {
            misses += rollup.missedTurns(1, i);
        }
        assertEq(misses, actor.misses(), "missed turns are counted");
    }
}
