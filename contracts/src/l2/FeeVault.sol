// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Where the base fees of L2 go
/// @notice Each block burns its base fees and the next one credits them here through EIP-4895 withdrawals, so that the ETH
/// on L2 stays equal to the ETH held for it on L1. Anyone may add to it; in this version nothing takes from it.
/// @dev A predeploy: its code is put into the L2 genesis without running a constructor.
contract FeeVault {
    /// @notice Takes ETH.
    receive() external payable {}
}
