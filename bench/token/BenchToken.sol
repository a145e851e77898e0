// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice The ERC-20 of the benchmark and of the end-to-end tests: everything belongs to who deploys it.
contract BenchToken is ERC20 {
    constructor() ERC20("Bench", "BENCH") {
        _mint(msg.sender, 10 ** 30);
    }
}
