// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls12381} from "../src/Bls12381.sol";
import {Eip712} from "../src/Eip712.sol";
import {MessageQueue} from "../src/MessageQueue.sol";
import {Rollup} from "../src/Rollup.sol";
import {SequencerRegistry} from "../src/SequencerRegistry.sol";
import {SequencerStaking} from "../src/SequencerStaking.sol";
import {System} from "./System.sol";

/// @dev The contracts against spec/vectors, which libraries outside the project made.
contract VectorsTest is System {
    string private constant DIR = "../spec/vectors/";

    function setUp() public override {
        deploy(1 ether, 1, 200);
        deal();
    }

    function test_hash_to_curve() public view {
        string memory json = vm.readFile(string.concat(DIR, "hash-to-curve.json"));
        uint256 count = lengthOf(json, ".cases");
        for (uint256 i = 0; i < count; ++i) {
            uint256 point = Bls12381.hashToG2(_bytes32(json, entryOf(".cases", i), ".message"));
            bytes memory coded = new bytes(256);
            assembly ("memory-safe") {
                mcopy(add(coded, 32), point, 256)
            }
            assertEq(coded, vm.parseJsonBytes(json, string.concat(entryOf(".cases", i), ".point")), "point");
        }
    }

    function test_eip712_digests() public view {
        string memory json = vm.readFile(string.concat(DIR, "eip712.json"));
        assertEq(vm.parseJsonAddress(json, ".domain.verifyingContract"), ROLLUP, "domain");
        uint256 count = lengthOf(json, ".cases");
        uint256 checked;
        for (uint256 i = 0; i < count; ++i) {
            string memory entry = entryOf(".cases", i);
            bytes32 digest = _bytes32(json, entry, ".digest");
            bytes32 kind = keccak256(bytes(vm.parseJsonString(json, string.concat(entry, ".type"))));
            if (kind == keccak256("BatchAttestation")) {
                uint64 batchIndex = uint64(_uint(json, entry, ".message.batchIndex"));
                bytes32 batchHash = _bytes32(json, entry, ".message.batchHash");
                assertEq(rollup.attestationDigest(batchIndex, batchHash), digest, "attestation");
                ++checked;
            } else if (kind == keccak256("ProofOfPossession")) {
                address operator = vm.parseJsonAddress(json, string.concat(entry, ".message.operator"));
                bytes32 keyHash = _bytes32(json, entry, ".message.publicKeyHash");
                bytes32 typeHash = keccak256("ProofOfPossession(address operator,bytes32 publicKeyHash)");
                assertEq(
                    Eip712.digest(ROLLUP, keccak256(abi.encode(typeHash, operator, keyHash))), digest, "possession"
                );
                ++checked;
            }
        }
        assertEq(checked, 3, "checked");
    }

    function test_batch_hashes() public view {
        string memory json = vm.readFile(string.concat(DIR, "batch-header.json"));
        uint256 count = lengthOf(json, ".cases");
        for (uint256 i = 0; i < count; ++i) {
            Rollup.BatchHeader memory header = _header(json, string.concat(entryOf(".cases", i), ".header."));
            assertEq(rollup.hashHeader(header), _bytes32(json, entryOf(".cases", i), ".batchHash"), "batch hash");
        }
    }

    function test_genesis_batch_hash() public {
        string memory json = vm.readFile(string.concat(DIR, "batch-header.json"));
        deployAt(
            ROLLUP,
            type(Rollup).creationCode,
            abi.encode(
                registry,
                queue,
                CHALLENGE_WINDOW,
                TURN,
                FORCED_WINDOW,
                RING,
                vm.parseJsonBytes32(json, ".cases[0].header.lastBlockHash"),
                vm.parseJsonBytes32(json, ".cases[0].header.postStateRoot")
            )
        );
        assertEq(rollup.batchHashOf(0), vm.parseJsonBytes32(json, ".cases[0].batchHash"), "genesis");
    }

    function test_message_queue() public {
        string memory json = vm.readFile(string.concat(DIR, "message-queue.json"));
        assertEq(queue.rollingHashAt(0), vm.parseJsonBytes32(json, ".emptyRollingHash"), "empty");
        uint256 count = lengthOf(json, ".messages");
        for (uint64 i = 0; i < count; ++i) {
            string memory entry = entryOf(".messages", i);
            uint256 amount = _uint(json, entry, ".amount");
            address sender = vm.parseJsonAddress(json, string.concat(entry, ".sender"));
            address to = vm.parseJsonAddress(json, string.concat(entry, ".to"));
            bytes32 rollingHash = _bytes32(json, entry, ".rollingHash");
            vm.deal(sender, amount);
            vm.expectEmit(true, true, true, true, address(queue));
            emit MessageQueue.MessageEnqueued(i, 0, sender, to, amount, "", rollingHash);
            vm.prank(sender);
            queue.depositETH{value: amount}(to);
            assertEq(queue.rollingHashAt(i + 1), rollingHash, "rolling hash");
        }
    }

    function test_proofs_of_possession() public {
        string memory json = vm.readFile(string.concat(DIR, "proof-of-possession.json"));
        uint256 count = lengthOf(json, ".cases");
        for (uint256 i = 0; i < count; ++i) {
            // A staking contract of its own for each: a key or an operator registers only once.
            deploy(1 ether, 1, 200);
            string memory path = string.concat(entryOf(".cases", i), ".");
            string memory name = vm.parseJsonString(json, string.concat(path, "name"));
            address operator = vm.parseJsonAddress(json, string.concat(path, "operator"));
            bytes memory key = vm.parseJsonBytes(json, string.concat(path, "publicKeyEip2537"));
            bytes memory proof = vm.parseJsonBytes(json, string.concat(path, "proofEip2537"));
            string memory expected = vm.parseJsonString(json, string.concat(path, "expected"));
            assertEq(keccak256(key), vm.parseJsonBytes32(json, string.concat(path, "publicKeyHash")), name);
            vm.deal(operator, 1 ether);
            if (keccak256(bytes(expected)) != keccak256("Valid")) {
                vm.expectRevert(abi.encodeWithSignature(string.concat(expected, "()")));
            }
            vm.prank(operator);
            staking.register{value: 1 ether}(key, proof, address(1), address(2));
        }
    }

    function test_quorum_exactly_two_thirds() public {
        _quorum(0, 3);
    }

    function test_quorum_4() public {
        _quorum(1, 4);
    }

    function test_quorum_16() public {
        _quorum(2, 16);
    }

    function test_quorum_64() public {
        _quorum(3, 64);
    }

    function test_quorum_128() public {
        _quorum(4, 128);
    }

    function test_quorum_200() public {
        _quorum(5, 200);
    }

    function _quorum(uint256 place, uint256 size) private {
        string memory json = vm.readFile(string.concat(DIR, "quorum.json"));
        string memory path = entryOf(".sets", place);
        SequencerRegistry.Member[] memory members = quorumMembers(json, path);
        assertEq(members.length, size, "size");
        vm.prank(address(staking));
        uint256 setId = registry.createSet(members);
        assertEq(keccak256(abi.encode(registry.members(setId))), keccak256(abi.encode(members)), "members");
        assertEq(registry.totalPower(setId), vm.parseJsonUint(json, string.concat(path, ".totalPower")), "power");

        bytes32 digest = vm.parseJsonBytes32(json, string.concat(path, ".digest"));
        string memory cases = string.concat(path, ".cases");
        uint256 count = lengthOf(json, cases);
        for (uint256 i = 0; i < count; ++i) {
            string memory entry = entryOf(cases, i);
            string memory name = vm.parseJsonString(json, string.concat(entry, ".name"));
            string memory expected = vm.parseJsonString(json, string.concat(entry, ".expected"));
            uint256 absent = _uint(json, entry, ".absent");
            bytes memory signature = vm.parseJsonBytes(json, string.concat(entry, ".signatureEip2537"));
            SequencerRegistry.Verdict verdict = registry.check(setId, digest, absent, signature);
            assertEq(_name(verdict), bytes(expected), name);
            bool valid = registry.verify(setId, digest, absent, signature);
            assertTrue(valid == (verdict == SequencerRegistry.Verdict.Valid), name);
        }
    }

    function _name(SequencerRegistry.Verdict verdict) private pure returns (bytes memory) {
        if (verdict == SequencerRegistry.Verdict.Valid) return "Valid";
        if (verdict == SequencerRegistry.Verdict.AbsentOutOfRange) return "AbsentOutOfRange";
        if (verdict == SequencerRegistry.Verdict.QuorumNotReached) return "QuorumNotReached";
        return "SignatureInvalid";
    }

    function _header(string memory json, string memory path) private pure returns (Rollup.BatchHeader memory header) {
        header.version = uint8(_uint(json, path, "version"));
        header.batchIndex = uint64(_uint(json, path, "batchIndex"));
        header.parentBatchHash = _bytes32(json, path, "parentBatchHash");
        header.setId = uint64(_uint(json, path, "setId"));
        header.firstBlock = uint64(_uint(json, path, "firstBlock"));
        header.lastBlock = uint64(_uint(json, path, "lastBlock"));
        header.lastBlockHash = _bytes32(json, path, "lastBlockHash");
        header.postStateRoot = _bytes32(json, path, "postStateRoot");
        header.withdrawalRoot = _bytes32(json, path, "withdrawalRoot");
        header.messagesConsumed = uint64(_uint(json, path, "messagesConsumed"));
        header.messagesRollingHash = _bytes32(json, path, "messagesRollingHash");
        header.timestamp = uint64(_uint(json, path, "timestamp"));
        header.blobHashesHash = _bytes32(json, path, "blobHashesHash");
    }

    function _uint(string memory json, string memory path, string memory name) private pure returns (uint256) {
        return vm.parseJsonUint(json, string.concat(path, name));
    }

    function _bytes32(string memory json, string memory path, string memory name) private pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(path, name));
    }
}
