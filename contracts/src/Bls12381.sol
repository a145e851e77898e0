// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title BLS12-381 signatures with keys in G1 and signatures in G2
/// @notice Verifies signatures of the ciphersuite BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_
/// (draft-irtf-cfrg-bls-signature, RFC 9380) over 32-byte messages with the precompiles of EIP-2537.
/// @dev A field element is two words, high (its 16 most significant bytes) and low; in memory that is exactly the
/// 64-byte coding of EIP-2537. A point is x then y; an element of Fp2 is c0 then c1. Infinity is all zeros.
library Bls12381 {
    /// @notice A point of G1: 128 bytes, the coding of EIP-2537.
    struct G1Point {
        uint256 xHigh;
        uint256 xLow;
        uint256 yHigh;
        uint256 yLow;
    }

    /// @notice A point of G1 without the padding of EIP-2537: 48 bytes of x, 48 bytes of y.
    struct CompactG1 {
        uint256 word0;
        uint256 word1;
        uint256 word2;
    }

    /// @notice The G1 addition precompile refused its input: a point is not on the curve or not canonically coded.
    error InvalidG1Point();

    /// @notice Length in bytes of a public key in the coding of EIP-2537.
    uint256 internal constant KEY_LENGTH = 128;
    /// @notice Length in bytes of a signature in the coding of EIP-2537.
    uint256 internal constant SIGNATURE_LENGTH = 256;

    // Precompile addresses: SHA-256 (yellow paper) and EIP-2537.
    uint256 private constant SHA256 = 0x02;
    uint256 private constant G1_ADD = 0x0b;
    uint256 private constant G2_ADD = 0x0d;
    uint256 private constant PAIRING_CHECK = 0x0f;
    uint256 private constant MAP_FP2_TO_G2 = 0x11;

    // The field modulus p.
    uint256 private constant P_HIGH = 0x1a0111ea397fe69a4b1ba7b6434bacd7;
    uint256 private constant P_LOW = 0x64774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab;
    // floor(2^512 / p), for Barrett reduction.
    uint256 private constant P_RECIPROCAL = 0x9d835d2f3cc9e45ce28101b0cc7a6ba29;

    // The generator of G1, negated (y replaced by p - y).
    uint256 private constant MINUS_G1_X_HIGH = 0x17f1d3a73197d7942695638c4fa9ac0f;
    uint256 private constant MINUS_G1_X_LOW = 0xc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb;
    uint256 private constant MINUS_G1_Y_HIGH = 0x114d1d6855d545a8aa7d76c8cf2e21f2;
    uint256 private constant MINUS_G1_Y_LOW = 0x67816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca;

    // DST_prime of RFC 9380: the 43 characters of the ciphersuite and their number (0x2b), in two words.
    bytes32 private constant DST_HEAD = "BLS_SIG_BLS12381G2_XMD:SHA-256_S";
    bytes32 private constant DST_TAIL = "SWU_RO_POP_\x2b";

    /// @notice Whether `signature` is the signature of `message` by `key`.
    /// @dev Checks e(key, H(message)) * e(-G1, signature) = 1. The precompile also proves that both points are on their
    /// curves and in their subgroups. The point at infinity is refused on both sides: (infinity, infinity) satisfies
    /// the equation for every message.
    /// @param key public key, in any state of validation
    /// @param message 32 bytes that were signed
    /// @param signature 256 bytes, coding of EIP-2537; anything else gives false
    function verify(G1Point memory key, bytes32 message, bytes calldata signature) internal view returns (bool valid) {
        if (signature.length != SIGNATURE_LENGTH || isInfinity(key) || isZero(signature)) return false;
        uint256 hashed = hashToG2(message);
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, key, 128)
            mcopy(add(input, 128), hashed, 256)
            mstore(add(input, 384), MINUS_G1_X_HIGH)
            mstore(add(input, 416), MINUS_G1_X_LOW)
            mstore(add(input, 448), MINUS_G1_Y_HIGH)
            mstore(add(input, 480), MINUS_G1_Y_LOW)
            calldatacopy(add(input, 512), signature.offset, 256)
            // A chain without the precompile returns no data: the zero written here then stays, and means "invalid".
            mstore(0, 0)
            valid := staticcall(gas(), PAIRING_CHECK, input, 768, 0, 32)
            valid := and(valid, eq(mload(0), 1))
        }
    }

    /// @notice hash_to_curve of RFC 9380 for G2.
    /// @param message 32 bytes
    /// @return point memory address of the 256-byte coding of the point
    function hashToG2(bytes32 message) internal view returns (uint256 point) {
        // hash_to_field: four field elements of 64 uniform bytes each; the precompile does the rest, cofactor included.
        uint256 elements = expandMessage(message);
        for (uint256 i = 0; i < 4; ++i) {
            reduce(elements + 64 * i);
        }
        assembly ("memory-safe") {
            point := mload(0x40)
            mstore(0x40, add(point, 512))
            let ok := staticcall(gas(), MAP_FP2_TO_G2, elements, 128, point, 256)
            ok := and(ok, staticcall(gas(), MAP_FP2_TO_G2, add(elements, 128), 128, add(point, 256), 256))
            ok := and(ok, staticcall(gas(), G2_ADD, point, 512, point, 256))
            // The inputs are reduced and the points are on the curve: only want of gas can fail.
            if iszero(ok) { revert(0, 0) }
        }
    }

    /// @notice expand_message_xmd of RFC 9380 with SHA-256, this ciphersuite and an output of 256 bytes.
    /// @param message 32 bytes
    /// @return output memory address of the 256 bytes
    function expandMessage(bytes32 message) internal view returns (uint256 output) {
        assembly ("memory-safe") {
            output := mload(0x40)
            mstore(0x40, add(output, 256))
            let input := add(output, 256) // scratch, beyond what is allocated

            // b_0 = H(64 zero bytes || message || 0x0100 || 0x00 || DST_prime)
            mstore(input, 0)
            mstore(add(input, 32), 0)
            mstore(add(input, 64), message)
            mstore(add(input, 96), shl(248, 1))
            mstore(add(input, 99), DST_HEAD)
            mstore(add(input, 131), DST_TAIL)
            let ok := staticcall(gas(), SHA256, input, 143, 0, 32)
            let first := mload(0)

            // b_i = H((b_0 xor b_(i-1)) || i || DST_prime), where b_0 stands in for b_0 xor b_0 when i = 1
            mstore(input, first)
            mstore(add(input, 33), DST_HEAD)
            mstore(add(input, 65), DST_TAIL)
            for { let i := 1 } lt(i, 9) { i := add(i, 1) } {
                mstore8(add(input, 32), i)
                let block_ := add(output, shl(5, sub(i, 1)))
                ok := and(ok, staticcall(gas(), SHA256, input, 77, block_, 32))
                mstore(input, xor(first, mload(block_)))
            }
            if iszero(ok) { revert(0, 0) }
        }
    }

    /// @notice Reduces a 512-bit big-endian number modulo p, in place.
    /// @dev Barrett reduction: with x = high * 2^256 + low, the estimate floor(high * floor(2^512 / p) / 2^256) is at most
    /// 2 below floor(x / p), so at most two subtractions remain. Less than half of the price of the MODEXP precompile.
    /// @param element memory address of the 64 bytes
    function reduce(uint256 element) internal pure {
        assembly ("memory-safe") {
            // The upper word of a 256 x 256 bit product: a * b mod (2^256 - 1), less the lower word, less a borrow.
            function upper(a, b) -> high {
                let wrapped := mulmod(a, b, not(0))
                let low := mul(a, b)
                high := sub(sub(wrapped, low), lt(wrapped, low))
            }
            let high := mload(element)
            let low := mload(add(element, 32))
            let quotient := upper(high, P_RECIPROCAL)

            // (high, low) - quotient * p
            let productLow := mul(quotient, P_LOW)
            let productHigh := add(upper(quotient, P_LOW), mul(quotient, P_HIGH))
            high := sub(sub(high, productHigh), lt(low, productLow))
            low := sub(low, productLow)

            for {} or(gt(high, P_HIGH), and(eq(high, P_HIGH), iszero(lt(low, P_LOW)))) {} {
                high := sub(sub(high, P_HIGH), lt(low, P_LOW))
                low := sub(low, P_LOW)
            }
            mstore(element, high)
            mstore(add(element, 32), low)
        }
    }

    /// @notice Adds `addend` to `sum`, in place.
    /// @dev Proves that both are on the curve, but not that they are in the subgroup: that is proven, once, by the pairing
    /// of the proof of possession.
    function addTo(G1Point memory sum, G1Point memory addend) internal view {
        bool ok;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, sum, 128)
            mcopy(add(input, 128), addend, 128)
            ok := staticcall(gas(), G1_ADD, input, 256, sum, 128)
            ok := and(ok, eq(returndatasize(), 128))
        }
        if (!ok) revert InvalidG1Point();
    }

    /// @notice Replaces a point by its negative, in place. Infinity is its own negative.
    function negate(G1Point memory point) internal pure {
        if (isInfinity(point)) return;
        unchecked {
            uint256 yLow = point.yLow;
            point.yLow = P_LOW - yLow;
            point.yHigh = P_HIGH - point.yHigh - (P_LOW < yLow ? 1 : 0);
        }
    }

    /// @notice Whether a point is the point at infinity.
    function isInfinity(G1Point memory point) internal pure returns (bool) {
        return point.xHigh | point.xLow | point.yHigh | point.yLow == 0;
    }

    /// @notice Whether 256 bytes are all zero, as in the coding of the infinity of G2.
    function isZero(bytes calldata signature) internal pure returns (bool zero) {
        assembly ("memory-safe") {
            let bits := 0
            for { let i := 0 } lt(i, 256) { i := add(i, 32) } {
                bits := or(bits, calldataload(add(signature.offset, i)))
            }
            zero := iszero(bits)
        }
    }

    /// @notice Removes the padding of a point whose coordinates are known to be canonical.
    function pack(G1Point memory point) internal pure returns (CompactG1 memory) {
        return CompactG1({
            word0: point.xHigh << 128 | point.xLow >> 128, word1: point.xLow << 128 | point.yHigh, word2: point.yLow
        });
    }

    /// @notice The inverse of `pack`.
    /// @param source memory address of 96 bytes
    /// @param point receives the point
    function unpack(uint256 source, G1Point memory point) internal pure {
        assembly ("memory-safe") {
            mstore(point, shr(128, mload(source)))
            mstore(add(point, 32), mload(add(source, 16)))
            mstore(add(point, 64), shr(128, mload(add(source, 48))))
            mstore(add(point, 96), mload(add(source, 64)))
        }
    }
}
