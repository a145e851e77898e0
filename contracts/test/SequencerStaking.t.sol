// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SequencerRegistry} from "../src/SequencerRegistry.sol";
import {SequencerStaking} from "../src/SequencerStaking.sol";
import {StakeRanking} from "../src/StakeRanking.sol";
import {BlsSigner} from "./BlsSigner.sol";
import {System} from "./System.sol";

contract SequencerStakingTest is System {
    address private constant OPERATOR = address(0x77);
    bytes private key;
    bytes private proof;

    function setUp() public override {
        deploy(1 ether, 3, 5);
        deal();
        key = BlsSigner.publicKey(77);
        proof = BlsSigner.sign(77, staking.proofOfPossessionDigest(OPERATOR, key));
        vm.deal(OPERATOR, 1000 ether);
    }

    function test_registers() public {
        vm.expectEmit(true, true, true, true, address(staking));
        emit SequencerStaking.SequencerRegistered(OPERATOR, key, address(1), address(2), 3 ether);
        vm.prank(OPERATOR);
        staking.register{value: 3 ether}(key, proof, address(1), address(2));
        SequencerRegistry.Member memory candidate = staking.candidateAt(0);
        assertEq(staking.candidateCount(), 1, "count");
        assertEq(candidate.operator, OPERATOR, "operator");
        assertEq(candidate.feeRecipient, address(1), "fee recipient");
        assertEq(candidate.submitter, address(2), "submitter");
        assertEq(candidate.power, 3e9, "power is gwei");
        assertEq(candidate.publicKey, key, "key");
        assertTrue(staking.isOperator(OPERATOR) && staking.isKey(keccak256(this.xOf(key))), "known");
        assertEq(address(staking).balance, 3 ether, "stake");
    }

    function test_refuses_a_small_stake() public {
        _refused(1 ether - 1 gwei, key, proof, _error(SequencerStaking.StakeTooLow.selector, 1 ether - 1 gwei, 1 ether));
    }

    function test_refuses_a_fraction_of_a_gwei() public {
        _refused(1 ether + 1, key, proof, abi.encodeWithSelector(SequencerStaking.NotWholeGwei.selector, 1 ether + 1));
    }

    function test_refuses_zero_addresses() public {
        bytes memory reason = abi.encodeWithSelector(SequencerStaking.ZeroAddress.selector);
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        staking.register{value: 1 ether}(key, proof, address(0), address(2));
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        staking.register{value: 1 ether}(key, proof, address(1), address(0));
    }

    function test_refuses_wrong_lengths() public {
        bytes memory reason = abi.encodeWithSelector(SequencerStaking.WrongKeyLength.selector, 129);
        _refused(1 ether, abi.encodePacked(key, uint8(0)), proof, reason);
        reason = abi.encodeWithSelector(SequencerStaking.WrongKeyLength.selector, 0);
        _refused(1 ether, "", proof, reason);
        reason = abi.encodeWithSelector(SequencerStaking.WrongProofLength.selector, 257);
        _refused(1 ether, key, abi.encodePacked(proof, uint8(0)), reason);
    }

    function test_refuses_infinity() public {
        bytes memory reason = abi.encodeWithSelector(SequencerStaking.PointAtInfinity.selector);
        _refused(1 ether, new bytes(128), new bytes(256), reason);
        _refused(1 ether, key, new bytes(256), reason);
        _refused(1 ether, new bytes(128), proof, reason);
    }

    function testFuzz_refuses_a_flipped_bit_of_the_key(uint256 bit) public {
        bit = bound(bit, 0, 1023);
        bytes memory changed = key;
        changed[bit / 8] ^= bytes1(uint8(1 << bit % 8));
        _refused(1 ether, changed, proof, abi.encodeWithSelector(SequencerStaking.ProofOfPossessionInvalid.selector));
    }

    function testFuzz_refuses_a_flipped_bit_of_the_proof(uint256 bit) public {
        bit = bound(bit, 0, 2047);
        bytes memory changed = proof;
        changed[bit / 8] ^= bytes1(uint8(1 << bit % 8));
        _refused(1 ether, key, changed, abi.encodeWithSelector(SequencerStaking.ProofOfPossessionInvalid.selector));
    }

    function test_refuses_a_proof_seen_on_another_operator() public {
        vm.deal(address(0x78), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(SequencerStaking.ProofOfPossessionInvalid.selector));
        vm.prank(address(0x78));
        staking.register{value: 1 ether}(key, proof, address(1), address(2));
    }

    function test_refuses_a_proof_for_another_chain() public {
        vm.chainId(1);
        _refused(1 ether, key, proof, abi.encodeWithSelector(SequencerStaking.ProofOfPossessionInvalid.selector));
    }

    function test_refuses_an_operator_twice() public {
        registerAs(OPERATOR, 77, 1 ether);
        vm.deal(OPERATOR, 1 ether);
        bytes memory other = BlsSigner.publicKey(78);
        bytes memory otherProof = BlsSigner.sign(78, staking.proofOfPossessionDigest(OPERATOR, other));
        bytes memory reason = abi.encodeWithSelector(SequencerStaking.OperatorAlreadyRegistered.selector, OPERATOR);
        _refused(1 ether, other, otherProof, reason);
    }

    function test_refuses_a_key_twice() public {
        registerAs(OPERATOR, 77, 1 ether);
        bytes memory again = BlsSigner.sign(77, staking.proofOfPossessionDigest(address(0x78), key));
        vm.deal(address(0x78), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(SequencerStaking.KeyAlreadyRegistered.selector, keccak256(key)));
        vm.prank(address(0x78));
        staking.register{value: 1 ether}(key, again, address(1), address(2));
    }

    function test_refuses_the_opposite_of_a_key() public {
        registerAs(OPERATOR, 77, 1 ether);
        bytes memory opposite = BlsSigner.publicKey(BlsSigner.ORDER - 77);
        bytes memory itsProof = BlsSigner.sign(
            BlsSigner.ORDER - 77, staking.proofOfPossessionDigest(address(0x78), opposite)
        );
        vm.deal(address(0x78), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(SequencerStaking.KeyAlreadyRegistered.selector, keccak256(opposite)));
        vm.prank(address(0x78));
        staking.register{value: 1 ether}(opposite, itsProof, address(1), address(2));
    }

    function test_refuses_plain_transfers() public {
        (bool ok,) = address(staking).call{value: 1 ether}("");
        assertTrue(!ok, "refused");
    }

    function test_unknown_candidate() public {
        vm.expectRevert(abi.encodeWithSelector(SequencerStaking.UnknownCandidate.selector, 0));
        staking.candidateAt(0);
    }

    function test_election_needs_enough_sequencers() public {
        registerAs(operatorOf(0), 1, 1 ether);
        registerAs(operatorOf(1), 2, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(SequencerStaking.TooFewSequencers.selector, 2, 3));
        staking.elect();
        registerAs(operatorOf(2), 3, 1 ether);
        assertEq(staking.elect(), 1, "set 1");
    }

    function test_elects_the_strongest_of_equal_ones_the_earlier() public {
        uint256[7] memory stakes = [uint256(5), 9, 5, 7, 9, 5, 5];
        for (uint256 i = 0; i < 7; ++i) {
            registerAs(operatorOf(i), i + 1, stakes[i] * 1 ether);
        }
        vm.prank(address(0xabc)); // anybody
        staking.elect();
        SequencerRegistry.Member[] memory members = registry.members(1);
        uint256[5] memory expected = [uint256(1), 4, 3, 0, 2];
        assertEq(members.length, 5, "size");
        for (uint256 i = 0; i < 5; ++i) {
            assertEq(members[i].operator, operatorOf(expected[i]), "operator");
            assertEq(abi.encode(members[i]), abi.encode(staking.candidateAt(expected[i])), "member");
        }
    }

    function test_elects_once() public {
        for (uint256 i = 0; i < 3; ++i) {
            registerAs(operatorOf(i), i + 1, 1 ether);
        }
        staking.elect();
        vm.expectRevert(abi.encodeWithSelector(SequencerStaking.AlreadyElected.selector, 1));
        staking.elect();
    }

    function test_refuses_a_stake_that_no_election_would_count() public {
        for (uint256 i = 0; i < 3; ++i) {
            registerAs(operatorOf(i), i + 1, 1 ether);
        }
        staking.elect();
        _refused(1 ether, key, proof, abi.encodeWithSelector(SequencerStaking.AlreadyElected.selector, 1));
        assertEq(address(staking).balance, 3 ether, "stakes of the set");
    }

    function testFuzz_ranking_is_a_stable_sort(uint8[] memory small, uint256 picks) public pure {
        uint256 size = small.length;
        picks = bound(picks, 0, size);
        uint256[] memory powers = new uint256[](size);
        for (uint256 i = 0; i < size; ++i) {
            powers[i] = small[i] % 8 == 7 ? type(uint64).max : small[i] % 8;
        }
        uint256[] memory original = abi.decode(abi.encode(powers), (uint256[]));
        uint256[] memory ranking = StakeRanking.top(powers, picks);
        assertEq(ranking.length, picks, "picks");
        // The one at place k is beaten by exactly k others.
        for (uint256 k = 0; k < picks; ++k) {
            uint256 beaten;
            for (uint256 i = 0; i < size; ++i) {
                uint256 mine = original[ranking[k]];
                if (original[i] > mine || (original[i] == mine && i < ranking[k])) ++beaten;
            }
            assertEq(beaten, k, "place");
        }
    }

    function test_refuses_wrong_parameters() public {
        SequencerRegistry own =
            new SequencerRegistry(vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1));
        bytes memory wrong = abi.encodeWithSelector(SequencerStaking.WrongParameters.selector);
        _refusedConstruction(own, ROLLUP, 1 gwei - 1, 1, 1, wrong);
        _refusedConstruction(own, address(0), 1 ether, 1, 1, wrong);
        _refusedConstruction(own, ROLLUP, 1 ether, 0, 1, wrong);
        _refusedConstruction(own, ROLLUP, 1 ether, 2, 1, wrong);
        _refusedConstruction(own, ROLLUP, 1 ether, 1, 201, wrong);
    }

    function test_refuses_a_registry_of_another() public {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.expectRevert(_error(SequencerStaking.WrongRegistry.selector, next, address(staking)));
        new SequencerStaking(registry, ROLLUP, 1 ether, 1, 1);
    }

    function xOf(bytes calldata key_) external pure returns (bytes memory) {
        return key_[:64];
    }

    function _refusedConstruction(
        SequencerRegistry own,
        address rollup_,
        uint256 minStake,
        uint256 min,
        uint256 max,
        bytes memory reason
    ) private {
        bytes memory code = abi.encodePacked(
            type(SequencerStaking).creationCode, abi.encode(own, rollup_, minStake, min, max)
        );
        address place = own.staking();
        vm.etch(place, code);
        (bool ok, bytes memory returned) = place.call("");
        assertTrue(!ok, "constructed");
        assertEq(returned, reason, "reason");
    }

    function _refused(uint256 stake, bytes memory key_, bytes memory proof_, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        staking.register{value: stake, gas: 10_000_000}(key_, proof_, address(1), address(2));
    }

    function _error(bytes4 selector, uint256 a, uint256 b) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }

    function _error(bytes4 selector, address a, address b) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }
}
