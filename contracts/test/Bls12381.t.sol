// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls12381} from "../src/Bls12381.sol";
import {BlsSigner} from "./BlsSigner.sol";
import {Test} from "./Test.sol";

contract Bls12381Test is Test {
    bytes private constant P =
        hex"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;

    function testFuzz_reduce_agrees_with_modexp(uint256 high, uint256 low) public view {
        _reduce(high, low);
    }

    /// forge-config: default.fuzz.runs = 512
    function testFuzz_reduce_near_multiples_of_p(uint256 factor, uint8 offset, bool below) public view {
        unchecked {
            factor = bound(factor, 1, type(uint128).max);
            // factor * p, in two words
            uint256 wrapped = mulmod(factor, P_LOW, type(uint256).max);
            uint256 low = factor * P_LOW;
            uint256 high = wrapped - low - (wrapped < low ? 1 : 0) + factor * P_HIGH;
            if (below) {
                high -= low < offset ? 1 : 0;
                low -= offset;
            } else {
                low += offset;
                high += low < offset ? 1 : 0;
            }
            _reduce(high, low);
        }
    }

    function test_reduce_at_the_edges() public view {
        _reduce(0, 0);
        _reduce(P_HIGH, P_LOW - 1);
        _reduce(P_HIGH, P_LOW);
        _reduce(P_HIGH, P_LOW + 1);
        _reduce(type(uint256).max, type(uint256).max);
        _reduce(type(uint256).max, 0);
    }

    function testFuzz_pack_then_unpack(uint128 xHigh, uint256 xLow, uint128 yHigh, uint256 yLow) public pure {
        Bls12381.G1Point memory point = Bls12381.G1Point(xHigh, xLow, yHigh, yLow);
        Bls12381.CompactG1 memory compact = Bls12381.pack(point);
        Bls12381.G1Point memory back;
        uint256 source;
        assembly ("memory-safe") {
            source := compact
        }
        Bls12381.unpack(source, back);
        assertEq(abi.encode(back), abi.encode(point), "point");
        assertEq(
            abi.encode(compact), abi.encodePacked(xHigh, xLow, yHigh, yLow), "compact is the coordinates, end to end"
        );
    }

    function testFuzz_a_point_and_its_negative_make_infinity(uint256 secret) public view {
        Bls12381.G1Point memory point = _key(bound(secret, 1, type(uint248).max));
        Bls12381.G1Point memory negative = Bls12381.G1Point(point.xHigh, point.xLow, point.yHigh, point.yLow);
        Bls12381.negate(negative);
        Bls12381.addTo(point, negative);
        assertTrue(Bls12381.isInfinity(point), "infinity");
        Bls12381.negate(point);
        assertTrue(Bls12381.isInfinity(point), "infinity is its own negative");
    }

    function testFuzz_keys_add_up_like_secrets(uint128 a, uint128 b) public view {
        Bls12381.G1Point memory sum = _key(a);
        Bls12381.addTo(sum, _key(b));
        assertEq(abi.encode(sum), BlsSigner.publicKey(uint256(a) + b), "sum");
    }

    function test_add_refuses_a_point_off_the_curve() public {
        Bls12381.G1Point memory point = _key(1);
        point.yLow ^= 1;
        vm.expectRevert(abi.encodeWithSelector(Bls12381.InvalidG1Point.selector));
        this.add{gas: 1_000_000}(point);
    }

    function testFuzz_signature_verifies(uint128 secret, bytes32 message) public view {
        vm.assume(secret != 0);
        assertTrue(this.verify(_key(secret), message, BlsSigner.sign(secret, message)), "valid");
    }

    function testFuzz_signature_with_a_flipped_bit_does_not_verify(uint256 bit) public view {
        bytes32 message = keccak256("message");
        bytes memory signature = BlsSigner.sign(5, message);
        bit = bound(bit, 0, 2047);
        signature[bit / 8] ^= bytes1(uint8(1 << bit % 8));
        assertTrue(!this.verify{gas: 1_000_000}(_key(5), message, signature), "flipped");
    }

    function test_infinity_verifies_nothing() public view {
        Bls12381.G1Point memory infinity;
        assertTrue(!this.verify(infinity, "any", new bytes(256)), "both");
        assertTrue(!this.verify(_key(1), "any", new bytes(256)), "signature");
        assertTrue(!this.verify(infinity, "any", BlsSigner.sign(1, "any")), "key");
    }

    function add(Bls12381.G1Point memory point) external view {
        Bls12381.addTo(point, point);
    }

    function verify(Bls12381.G1Point memory key, bytes32 message, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return Bls12381.verify(key, message, signature);
    }

    function _key(uint256 secret) private view returns (Bls12381.G1Point memory) {
        return abi.decode(BlsSigner.publicKey(secret), (Bls12381.G1Point));
    }

    function _reduce(uint256 high, uint256 low) private view {
        bytes memory wide = abi.encodePacked(high, low);
        (bool ok, bytes memory expected) =
            address(5).staticcall(abi.encodePacked(uint256(64), uint256(1), uint256(48), wide, uint8(1), P));
        assertTrue(ok, "modexp");
        uint256 element;
        assembly ("memory-safe") {
            element := add(wide, 32)
        }
        Bls12381.reduce(element);
        assertEq(wide, abi.encodePacked(bytes16(0), expected), "reduced");
    }
}
