// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageQueue} from "../src/MessageQueue.sol";
import {Test} from "./Test.sol";

contract MessageQueueTest is Test {
    MessageQueue private queue;

    function setUp() public {
        queue = new MessageQueue();
        vm.deal(address(this), type(uint128).max);
    }

    function test_refuses_nothing() public {
        vm.expectRevert(abi.encodeWithSelector(MessageQueue.AmountIsZero.selector));
        queue.depositETH(address(1));
    }

    function testFuzz_refuses_a_fraction_of_a_gwei(uint64 gweis, uint256 rest) public {
        uint256 amount = uint256(gweis) * 1 gwei + bound(rest, 1, 1 gwei - 1);
        vm.expectRevert(abi.encodeWithSelector(MessageQueue.NotWholeGwei.selector, amount));
        queue.depositETH{value: amount}(address(1));
    }

    function test_refuses_plain_transfers() public {
        (bool ok,) = address(queue).call{value: 1 ether}("");
        assertTrue(!ok, "refused");
    }

    function test_starts_empty() public {
        assertEq(queue.messageCount(), 0, "count");
        assertEq(queue.rollingHashAt(0), bytes32(0), "rolling hash");
        vm.expectRevert(abi.encodeWithSelector(MessageQueue.UnknownMessage.selector, 1, 0));
        queue.rollingHashAt(1);
        vm.expectRevert(abi.encodeWithSelector(MessageQueue.UnknownMessage.selector, 0, 0));
        queue.enqueuedAt(0);
    }

    function test_takes_the_ether_of_the_genesis() public {
        MessageQueue backed = new MessageQueue{value: 100_000 ether}();
        assertEq(address(backed).balance, 100_000 ether, "balance");
        assertEq(backed.messageCount(), 0, "no message");
    }

    function testFuzz_chains_hashes_and_remembers_times(uint64[6] memory amounts, uint32[6] memory delays, address to)
        public
    {
        bytes32 rollingHash;
        uint64[6] memory times;
        for (uint64 i = 0; i < 6; ++i) {
            vm.warp(block.timestamp + delays[i]);
            times[i] = uint64(block.timestamp);
            uint256 amount = bound(amounts[i], 1, type(uint64).max) * 1 gwei;
            bytes32 messageHash = keccak256(abi.encode(uint8(0), i, address(this), to, amount, bytes("")));
            rollingHash = keccak256(abi.encodePacked(rollingHash, messageHash));
            vm.expectEmit(true, true, true, true, address(queue));
            emit MessageQueue.MessageEnqueued(i, 0, address(this), to, amount, "", rollingHash);
            queue.depositETH{value: amount}(to);
            assertEq(queue.rollingHashAt(i + 1), rollingHash, "rolling hash");
            assertEq(queue.messageCount(), i + 1, "count");
        }
        for (uint64 i = 0; i < 6; ++i) {
            assertEq(queue.enqueuedAt(i), times[i], "time");
        }
    }
}

/// @dev Deposits at random, and keeps books of its own.
contract Depositor is Test {
    MessageQueue public immutable queue;
    uint256 public sum;
    uint64 public count;
    bytes32 public rollingHash;

    constructor(MessageQueue queue_) {
        queue = queue_;
    }

    function deposit(address to, uint256 gweis) external {
        uint256 amount = bound(gweis, 1, 1e12) * 1 gwei;
        vm.deal(address(this), amount);
        queue.depositETH{value: amount}(to);
        bytes32 messageHash = keccak256(abi.encode(uint8(0), count, address(this), to, amount, bytes("")));
        rollingHash = keccak256(abi.encodePacked(rollingHash, messageHash));
        sum += amount;
        ++count;
    }

    function depositBadly(address to, uint256 amount) external {
        if (amount % 1 gwei == 0) ++amount;
        amount = amount % 1e30;
        if (amount % 1 gwei == 0) ++amount;
        vm.deal(address(this), amount);
        try queue.depositETH{value: amount}(to) {
            revert("accepted");
        } catch {}
    }
}

contract MessageQueueInvariant is Test {
    MessageQueue private queue;
    Depositor private depositor;

    function setUp() public {
        queue = new MessageQueue();
        depositor = new Depositor(queue);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(depositor);
    }

    function invariant_books_agree() public view {
        assertEq(address(queue).balance, depositor.sum(), "balance is the sum of the deposits");
        assertEq(queue.messageCount(), depositor.count(), "one message a deposit");
        assertEq(queue.rollingHashAt(depositor.count()), depositor.rollingHash(), "rolling hash");
    }
}
