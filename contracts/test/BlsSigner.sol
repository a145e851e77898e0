// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls12381} from "../src/Bls12381.sol";

/// @dev Signs in tests, with the multiplication precompiles. That `hashToG2` is right is known from the vectors.
library BlsSigner {
    address private constant G1_MSM = address(0x0c);
    address private constant G2_MSM = address(0x0e);
    uint256 internal constant ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    bytes private constant G1 =
        hex"0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1";

    function publicKey(uint256 secret) internal view returns (bytes memory key) {
        bool ok;
        (ok, key) = G1_MSM.staticcall(abi.encodePacked(G1, secret));
        require(ok);
    }

    function sign(uint256 secret, bytes32 digest) internal view returns (bytes memory signature) {
        uint256 point = Bls12381.hashToG2(digest);
        bytes memory coded = new bytes(256);
        assembly ("memory-safe") {
            mcopy(add(coded, 32), point, 256)
        }
        bool ok;
        (ok, signature) = G2_MSM.staticcall(abi.encodePacked(coded, secret));
        require(ok);
    }

    /// @dev The sum of the secrets of those who are not in the bitmap signs like all of them together.
    function sum(uint256[] memory secrets, uint256 absent) internal pure returns (uint256 total) {
        for (uint256 i = 0; i < secrets.length; ++i) {
            if (absent >> i & 1 == 0) total = addmod(total, secrets[i], ORDER);
        }
    }
}
