// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CodeTable} from "../src/CodeTable.sol";
import {SequencerRegistry} from "../src/SequencerRegistry.sol";
import {BlsSigner} from "./BlsSigner.sol";
import {System} from "./System.sol";

contract SequencerRegistryTest is System {
    bytes32 private constant DIGEST = keccak256("digest");

    function test_only_staking_creates_sets() public {
        SequencerRegistry.Member[] memory members = _members(4);
        vm.expectRevert(abi.encodeWithSelector(SequencerRegistry.NotStaking.selector, address(this)));
        registry.createSet(members);
    }

    function test_refuses_an_empty_set() public {
        _refusesSet(new SequencerRegistry.Member[](0), SequencerRegistry.WrongSetSize.selector, 0);
    }

    function test_refuses_more_members_than_a_table_holds() public {
        _refusesSet(new SequencerRegistry.Member[](201), SequencerRegistry.WrongSetSize.selector, 201);
    }

    function test_refuses_a_member_without_power() public {
        SequencerRegistry.Member[] memory members = _members(3);
        members[2].power = 0;
        _refusesSet(members, SequencerRegistry.PowerIsZero.selector, 2);
    }

    function test_unknown_sets_have_their_error() public {
        bytes memory signature = BlsSigner.sign(1, DIGEST);
        uint256[3] memory unknown = [uint256(0), 2, type(uint256).max];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory reason = abi.encodeWithSelector(SequencerRegistry.UnknownSet.selector, unknown[i]);
            vm.expectRevert(reason);
            registry.verify(unknown[i], DIGEST, 0, signature);
            vm.expectRevert(reason);
            registry.setSize(unknown[i]);
            vm.expectRevert(reason);
            registry.totalPower(unknown[i]);
            vm.expectRevert(reason);
            registry.memberOf(unknown[i], 0);
            vm.expectRevert(reason);
            registry.turnOf(unknown[i], 0);
            vm.expectRevert(reason);
            registry.members(unknown[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(SequencerRegistry.UnknownMember.selector, 1, 4));
        registry.memberOf(1, 4);
    }

    function test_tables_hold_what_was_put_in() public {
        SequencerRegistry.Member[] memory members = _members(200);
        uint256 setId = _create(members);
        assertEq(setId, 2, "second set");
        assertEq(registry.latestSetId(), 2, "latest");
        assertEq(registry.setSize(setId), 200, "size");
        assertEq(abi.encode(registry.members(setId)), abi.encode(members), "members");
        assertEq(abi.encode(registry.memberOf(setId, 199)), abi.encode(members[199]), "last member");
        uint256 total;
        for (uint256 i = 0; i < 200; ++i) {
            total += members[i].power;
        }
        assertEq(registry.totalPower(setId), total, "power");
        (uint256 index, address submitter) = registry.turnOf(setId, 203);
        assertEq(index, 3, "turns go around");
        assertEq(submitter, members[3].submitter, "submitter");
    }

    function test_tables_cannot_be_called() public {
        uint256 setId = _create(_members(2));
        for (uint256 nonce = 2 * setId - 1; nonce <= 2 * setId; ++nonce) {
            address table = vm.computeCreateAddress(address(registry), nonce);
            assertTrue(table.code.length > 0 && table.code[0] == 0, "starts with STOP");
        }
    }

    function test_table_of_the_largest_length_and_one_more() public {
        address table = this.writeTable(24_575);
        assertEq(table.code.length, 24_576, "length");
        vm.expectRevert(abi.encodeWithSelector(CodeTable.TableNotCreated.selector, 24_576));
        this.writeTable(24_576);
    }

    /// @dev Any subset of a set of nine with unlike powers: accepted exactly when it has more than two thirds.
    function testFuzz_quorum_is_more_than_two_thirds_of_the_power(uint256 absent, uint64[9] memory powers) public {
        (SequencerRegistry.Member[] memory members, uint256[] memory keys) = _set(9);
        uint256 total;
        for (uint256 i = 0; i < 9; ++i) {
            members[i].power = uint64(bound(powers[i], 1, type(uint64).max / 16));
            total += members[i].power;
        }
        uint256 setId = _create(members);
        absent = bound(absent, 0, 511);
        uint256 signing;
        for (uint256 i = 0; i < 9; ++i) {
            if (absent >> i & 1 == 0) signing += members[i].power;
        }
        bool expected = signing * 3 > total * 2;
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(keys, absent), DIGEST);
        assertTrue(registry.verify(setId, DIGEST, absent, signature) == expected, "verify");
        SequencerRegistry.Verdict verdict = registry.check(setId, DIGEST, absent, signature);
        assertTrue(
            verdict == (expected ? SequencerRegistry.Verdict.Valid : SequencerRegistry.Verdict.QuorumNotReached),
            "check"
        );
    }

    function testFuzz_refuses_a_flipped_bit_of_the_digest(uint8 bit) public view {
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, 0), DIGEST);
        assertTrue(registry.verify(1, DIGEST, 0, signature), "as signed");
        assertTrue(!registry.verify(1, DIGEST ^ bytes32(uint256(1) << bit), 0, signature), "flipped");
    }

    function testFuzz_refuses_a_flipped_bit_of_the_bitmap(uint8 bit) public view {
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, 0), DIGEST);
        assertTrue(!registry.verify(1, DIGEST, uint256(1) << bit, signature), "flipped");
        SequencerRegistry.Verdict verdict = registry.check(1, DIGEST, uint256(1) << bit, signature);
        assertTrue((verdict == SequencerRegistry.Verdict.AbsentOutOfRange) == (bit >= 4), "out of range");
    }

    function testFuzz_refuses_a_flipped_bit_of_the_signature(uint256 bit) public view {
        bit = bound(bit, 0, 2047);
        bytes memory signature = BlsSigner.sign(BlsSigner.sum(secrets, 0), DIGEST);
        signature[bit / 8] ^= bytes1(uint8(1 << bit % 8));
        assertTrue(!registry.verify{gas: 10_000_000}(1, DIGEST, 0, signature), "flipped");
    }

    function testFuzz_garbage_is_false(bytes32 digest, uint256 absent, bytes calldata signature) public view {
        assertTrue(!registry.verify{gas: 10_000_000}(1, digest, absent, signature), "garbage");
    }

    function testFuzz_random_points_are_false(bytes32 digest, bytes32 other) public view {
        vm.assume(digest != other);
        assertTrue(!registry.verify(1, digest, 0, BlsSigner.sign(BlsSigner.sum(secrets, 0), other)), "other digest");
    }

    function test_nobody_signed() public view {
        assertTrue(!registry.verify(1, DIGEST, 15, new bytes(256)), "all absent");
    }

    function writeTable(uint256 length) external returns (address) {
        return CodeTable.write(new bytes(length));
    }

    function _refusesSet(SequencerRegistry.Member[] memory members, bytes4 reason, uint256 argument) private {
        vm.expectRevert(abi.encodeWithSelector(reason, argument));
        vm.prank(address(staking));
        registry.createSet(members);
    }

    function _create(SequencerRegistry.Member[] memory members) private returns (uint256) {
        vm.prank(address(staking));
        return registry.createSet(members);
    }

    function _members(uint256 size) private view returns (SequencerRegistry.Member[] memory members) {
        (members,) = _set(size);
    }

    function _set(uint256 size)
        private
        view
        returns (SequencerRegistry.Member[] memory members, uint256[] memory keys)
    {
        members = new SequencerRegistry.Member[](size);
        keys = new uint256[](size);
        for (uint256 i = 0; i < size; ++i) {
            keys[i] = uint256(keccak256(abi.encode("registry", i))) >> 2;
            members[i] = SequencerRegistry.Member({
                operator: address(uint160(uint256(keccak256(abi.encode("operator", i))))),
                submitter: address(uint160(uint256(keccak256(abi.encode("submitter", i))))),
                feeRecipient: address(uint160(uint256(keccak256(abi.encode("fees", i))))),
                power: uint64(32_000_000_000 + i),
                publicKey: BlsSigner.publicKey(keys[i])
            });
        }
    }
}
