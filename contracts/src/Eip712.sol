// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The EIP-712 domain of the network
/// @notice Everything that sequencers sign is a digest in the domain
/// {name: "Morphism", version: "1", chainId: <L1>, verifyingContract: <Rollup>}.
library Eip712 {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice The digest that is signed for a struct hash.
    /// @dev The domain is computed on each call, so that a fork of L1 under another chain id is another domain.
    /// @param rollup address of the Rollup contract
    /// @param structHash hashStruct of EIP-712
    function digest(address rollup, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Morphism"), keccak256("1"), block.chainid, rollup));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
