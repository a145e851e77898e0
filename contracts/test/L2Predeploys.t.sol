// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeVault} from "../src/l2/FeeVault.sol";
import {L2ToL1Outbox} from "../src/l2/L2ToL1Outbox.sol";
import {Test} from "./Test.sol";

contract L2PredeploysTest is Test {
    address private constant OUTBOX = address(0x4200);
    L2ToL1Outbox private outbox = L2ToL1Outbox(OUTBOX);

    /// @dev As in a genesis: code without a constructor.
    function setUp() public {
        vm.etch(OUTBOX, type(L2ToL1Outbox).runtimeCode);
        vm.deal(address(this), 100 ether);
    }

    function test_empty_outbox_has_zero_in_slot_0() public view {
        assertEq(vm.load(OUTBOX, 0), bytes32(0), "slot 0");
        assertEq(outbox.root(), bytes32(0), "root");
        assertEq(outbox.messageCount(), 0, "count");
    }

    function testFuzz_root_is_that_of_the_whole_tree(uint8 size, bytes32 seed) public {
        uint256 count = bound(size, 1, 40);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            bytes memory data = abi.encode(seed, i);
            leaves[i] = outbox.sendMessage{value: i}(address(uint160(i)), data);
            assertEq(
                leaves[i],
                keccak256(abi.encode(i, address(this), address(uint160(i)), i, data)),
                "leaf is the hash of the message"
            );
        }
        assertEq(vm.load(OUTBOX, 0), _root(leaves), "root, in slot 0");
        assertEq(vm.load(OUTBOX, bytes32(uint256(1))), bytes32(count), "count, in slot 1");
        assertEq(OUTBOX.balance, count * (count - 1) / 2, "value stays");
    }

    function test_message_is_announced() public {
        bytes32 leaf = keccak256(abi.encode(uint256(0), address(this), address(7), uint256(3), bytes("hello")));
        bytes32[] memory leaves = new bytes32[](1);
        leaves[0] = leaf;
        vm.expectEmit(true, true, true, true, OUTBOX);
        emit L2ToL1Outbox.MessageSent(0, leaf, address(this), address(7), 3, "hello", _root(leaves));
        outbox.sendMessage{value: 3}(address(7), "hello");
    }

    function test_last_leaf_is_accepted_and_no_more() public {
        vm.store(OUTBOX, bytes32(uint256(1)), bytes32(uint256(type(uint32).max)));
        outbox.sendMessage(address(1), "");
        vm.expectRevert(abi.encodeWithSelector(L2ToL1Outbox.TreeIsFull.selector));
        outbox.sendMessage(address(1), "");
    }

    function testFuzz_vault_takes_ether(uint96 amount) public {
        FeeVault vault = FeeVault(payable(address(0x4300)));
        vm.etch(address(vault), type(FeeVault).runtimeCode);
        vm.deal(address(this), amount);
        (bool ok,) = address(vault).call{value: amount}("");
        assertTrue(ok, "taken");
        assertEq(address(vault).balance, amount, "balance");
    }

    /// @dev Root of the tree of depth 32, built level by level.
    function _root(bytes32[] memory nodes) private pure returns (bytes32) {
        bytes32 empty;
        for (uint256 level = 0; level < 32; ++level) {
            bytes32[] memory above = new bytes32[]((nodes.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                bytes32 right = 2 * i + 1 < nodes.length ? nodes[2 * i + 1] : empty;
                above[i] = keccak256(abi.encode(nodes[2 * i], right));
            }
            nodes = above;
            empty = keccak256(abi.encode(empty, empty));
        }
        return nodes[0];
    }
}
