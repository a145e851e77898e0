// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rollup} from "../src/Rollup.sol";
import {SequencerRegistry} from "../src/SequencerRegistry.sol";
import {BlsSigner} from "./BlsSigner.sol";
import {System} from "./System.sol";

/// @dev Execution gas of the calls that matter, into snapshots/gas.json: contracts/bin/gas-table.mjs makes the table of it.
contract GasTest is System {
    bytes32 private constant DIGEST = keccak256("digest");

    function test_verify_4() public {
        _measureVerify(4);
    }

    function test_verify_16() public {
        _measureVerify(16);
    }

    function test_verify_64() public {
        _measureVerify(64);
    }

    function test_verify_128() public {
        _measureVerify(128);
    }

    function test_verify_200() public {
        _measureVerify(200);
    }

    function test_register() public {
        deploy(1 ether, 4, 128);
        registerAs(operatorOf(8), 8, 32 ether);
        address operator = operatorOf(9);
        bytes memory key = BlsSigner.publicKey(9);
        bytes memory proof = BlsSigner.sign(9, staking.proofOfPossessionDigest(operator, key));
        vm.deal(operator, 32 ether);
        vm.cool(address(staking));
        vm.cool(address(registry));
        vm.prank(operator);
        staking.register{value: 32 ether}(key, proof, address(1), address(2));
        vm.snapshotGasLastCall("gas", "register");
    }

    function test_deposit() public {
        queue.depositETH{value: 1 gwei}(address(1));
        queue.depositETH{value: 1 gwei}(address(1));
        vm.cool(address(queue));
        queue.depositETH{value: 1 gwei}(address(1));
        vm.snapshotGasLastCall("gas", "depositETH");
    }

    function test_commit() public {
        queue.depositETH{value: 1 gwei}(address(1));
        for (uint64 i = 1; i <= RING; ++i) {
            _measuredCommit();
            if (i == 2) vm.snapshotGasLastCall("gas", "commitBatch, first use of a ring place");
            vm.warp(block.timestamp + CHALLENGE_WINDOW);
            vm.cool(address(rollup));
            rollup.finalizeBatch(i);
            if (i == 2) vm.snapshotGasLastCall("gas", "finalizeBatch, one batch");
        }
        _measuredCommit();
        vm.snapshotGasLastCall("gas", "commitBatch, ring place reused");
    }

    function test_elect_200() public {
        deploy(1 ether, 4, 200);
        for (uint256 i = 0; i < 200; ++i) {
            registerAs(operatorOf(i), i + 1, 1 ether + i * 1 gwei);
        }
        vm.cool(address(staking));
        vm.cool(address(registry));
        staking.elect();
        vm.snapshotGasLastCall("gas", "elect, 200 of 200");
    }

    function _measuredCommit() private {
        Rollup.BatchHeader memory header = nextHeader();
        header.messagesConsumed = 1;
        header.messagesRollingHash = queue.rollingHashAt(1);
        bytes memory signature = sign(header, 0);
        carryBlobs(6);
        bytes memory hashes;
        for (uint256 i = 0; i < 6; ++i) {
            hashes = abi.encodePacked(hashes, blobhash(i));
        }
        header.blobHashesHash = keccak256(hashes);
        signature = sign(header, 0);
        vm.cool(address(rollup));
        vm.cool(address(registry));
        vm.cool(address(queue));
        actAs(turnHolder(header.batchIndex));
        rollup.commitBatch(header, 0, signature);
    }

    function _measureVerify(uint256 size) private {
        SequencerRegistry.Member[] memory members = new SequencerRegistry.Member[](size);
        uint256[] memory keys = new uint256[](size);
        uint256 third;
        for (uint256 i = 0; i < size; ++i) {
            keys[i] = uint256(keccak256(abi.encode("gas", size, i))) >> 2;
            members[i] = SequencerRegistry.Member(address(1), address(2), address(3), 1, BlsSigner.publicKey(keys[i]));
        }
        for (uint256 i = 0; i < (size - 1) / 3; ++i) {
            third |= 1 << (3 * i);
        }
        vm.cool(address(registry));
        vm.prank(address(staking));
        uint256 setId = registry.createSet(members);
        vm.snapshotGasLastCall("gas", string.concat("createSet, N = ", vm.toString(size)));

        uint256[2] memory bitmaps = [0, third];
        string[2] memory names = [", 0 absent", ", (N - 1) / 3 absent"];
        for (uint256 i = 0; i < 2; ++i) {
            bytes memory signature = BlsSigner.sign(BlsSigner.sum(keys, bitmaps[i]), DIGEST);
            vm.cool(address(registry));
            vm.cool(keyTable(setId));
            assertTrue(registry.verify(setId, DIGEST, bitmaps[i], signature), "verify");
            vm.snapshotGasLastCall("gas", string.concat("verify, N = ", vm.toString(size), names[i]));
        }
    }

    /// @dev The key table of a set: tables are what the registry creates, two a set, from nonce 1.
    function keyTable(uint256 setId) private view returns (address) {
        return vm.computeCreateAddress(address(registry), 2 * setId - 1);
    }
}
