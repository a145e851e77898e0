// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageQueue} from "../src/MessageQueue.sol";
import {Rollup} from "../src/Rollup.sol";
import {SequencerRegistry} from "../src/SequencerRegistry.sol";
import {SequencerStaking} from "../src/SequencerStaking.sol";
import {BlsSigner} from "./BlsSigner.sol";
import {Test} from "./Test.sol";

/// @dev All L1 contracts, wired as in production, with the Rollup at the address of the vectors; and a set of four.
abstract contract System is Test {
    address internal constant ROLLUP = 0x00000000000000000000000000000000C0FFEE01;
    uint64 internal constant CHALLENGE_WINDOW = 1000;
    uint64 internal constant TURN = 20;
    uint64 internal constant FORCED_WINDOW = 60;
    uint64 internal constant RING = 8;
    uint256 internal constant GENESIS_TIME = 1_000_000;
    bytes32 internal constant BLOB = bytes32(uint256(1) << 248 | 7);

    MessageQueue internal queue;
    SequencerRegistry internal registry;
    SequencerStaking internal staking;
    Rollup internal rollup = Rollup(ROLLUP);
    uint256[] internal secrets;
    bytes32 internal genesisHash;

    function setUp() public virtual {
        deploy(1 ether, 4, 128);
        for (uint256 i = 0; i < 4; ++i) {
            secrets.push(uint256(keccak256(abi.encode("secret", i))) >> 2);
            registerAs(operatorOf(i), secrets[i], 32 ether);
        }
        staking.elect();
        deal();
    }

    function deploy(uint256 minStake, uint256 minSequencers, uint256 maxSequencers) internal {
        vm.chainId(31337);
        vm.warp(GENESIS_TIME);
        queue = new MessageQueue();
        address stakingAddress = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        registry = new SequencerRegistry(stakingAddress);
        staking = new SequencerStaking(registry, ROLLUP, minStake, minSequencers, maxSequencers);
        deployRollup(TURN, RING);
        genesisHash = rollup.batchHashOf(0);
    }

    function deployRollup(uint64 turn, uint64 ring) internal {
        deployAt(
            ROLLUP,
            type(Rollup).creationCode,
            abi.encode(
                registry,
                queue,
                CHALLENGE_WINDOW,
                turn,
                FORCED_WINDOW,
                ring,
                keccak256("genesis block"),
                keccak256("genesis state")
            )
        );
    }

    function deployAt(address target, bytes memory creationCode, bytes memory arguments) internal {
        vm.etch(target, abi.encodePacked(creationCode, arguments));
        (bool ok, bytes memory runtime) = target.call("");
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(runtime, 32), mload(runtime))
            }
        }
        vm.etch(target, runtime);
    }

    function registerAs(address operator, uint256 secret, uint256 stake) internal {
        bytes memory key = BlsSigner.publicKey(secret);
        bytes memory proof = BlsSigner.sign(secret, staking.proofOfPossessionDigest(operator, key));
        vm.deal(operator, stake);
        vm.prank(operator);
        staking.register{value: stake}(key, proof, feeRecipientOf(operator), submitterOf(operator));
    }

    function deal() internal {
        vm.deal(address(this), 1_000_000 ether);
    }

    function operatorOf(uint256 index) internal pure returns (address) {
        return address(uint160(0x1000 + index));
    }

    function submitterOf(address operator) internal pure returns (address) {
        return address(uint160(operator) + 0x100000);
    }

    function feeRecipientOf(address operator) internal pure returns (address) {
        return address(uint160(operator) + 0x200000);
    }

    /// @dev The account whose turn a batch is, in the set of four.
    function turnHolder(uint64 batchIndex) internal pure returns (address) {
        return submitterOf(operatorOf(batchIndex % 4));
    }

    /// @dev The next call is that of a transaction by this account.
    function actAs(address account) internal {
        vm.prank(account, account);
    }

    /// @dev The next batch: ten blocks, no messages, one blob, the time of now.
    function nextHeader() internal view returns (Rollup.BatchHeader memory header) {
        (uint64 index, bytes32 parent, uint64 lastBlock,, uint64 consumed,,) = rollup.newestBatch();
        header.version = 1;
        header.batchIndex = index + 1;
        header.parentBatchHash = parent;
        header.setId = 1;
        header.firstBlock = lastBlock + 1;
        header.lastBlock = lastBlock + 10;
        header.lastBlockHash = keccak256(abi.encode("block", header.lastBlock));
        header.postStateRoot = keccak256(abi.encode("state", header.lastBlock));
        header.withdrawalRoot = keccak256(abi.encode("withdrawals", header.lastBlock));
        header.messagesConsumed = consumed;
        header.messagesRollingHash = queue.rollingHashAt(consumed);
        header.timestamp = uint64(block.timestamp);
        header.blobHashesHash = keccak256(abi.encodePacked(BLOB));
    }

    function sign(Rollup.BatchHeader memory header, uint256 absent) internal view returns (bytes memory) {
        bytes32 digest = rollup.attestationDigest(header.batchIndex, rollup.hashHeader(header));
        return BlsSigner.sign(BlsSigner.sum(secrets, absent), digest);
    }

    function carryBlobs(uint256 count) internal {
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = bytes32(uint256(BLOB) + i);
        }
        vm.blobhashes(hashes);
    }

    /// @dev Commits in the turn of the batch, signed by all.
    function commit(Rollup.BatchHeader memory header) internal {
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        actAs(turnHolder(header.batchIndex));
        rollup.commitBatch(header, 0, signature);
    }

    function commitRefused(Rollup.BatchHeader memory header, bytes memory reason) internal {
        bytes memory signature = sign(header, 0);
        carryBlobs(1);
        actAs(turnHolder(header.batchIndex));
        vm.expectRevert(reason);
        rollup.commitBatch(header, 0, signature);
    }

    /// @dev The members of one set of quorum.json.
    function quorumMembers(string memory json, string memory set)
        internal
        view
        returns (SequencerRegistry.Member[] memory members)
    {
        string memory list = string.concat(set, ".members");
        members = new SequencerRegistry.Member[](lengthOf(json, list));
        for (uint256 i = 0; i < members.length; ++i) {
            string memory member = entryOf(list, i);
            members[i] = SequencerRegistry.Member({
                operator: vm.parseJsonAddress(json, string.concat(member, ".operator")),
                submitter: vm.parseJsonAddress(json, string.concat(member, ".submitter")),
                feeRecipient: vm.parseJsonAddress(json, string.concat(member, ".feeRecipient")),
                power: uint64(vm.parseJsonUint(json, string.concat(member, ".power"))),
                publicKey: vm.parseJsonBytes(json, string.concat(member, ".publicKeyEip2537"))
            });
        }
    }

    /// @dev JSON path of an entry of a list.
    function entryOf(string memory list, uint256 index) internal pure returns (string memory) {
        return string.concat(list, "[", vm.toString(index), "]");
    }

    /// @dev Number of entries of a list, at least one: a test over nothing would prove nothing.
    function lengthOf(string memory json, string memory list) internal view returns (uint256 length) {
        while (vm.keyExistsJson(json, entryOf(list, length))) ++length;
        assertTrue(length > 0, "empty list of vectors");
    }
}
