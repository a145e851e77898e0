import { createRequire } from 'node:module'
import type { Abi } from 'viem'
import { type Hex, hexToBytes } from '../../src/base/primitives/bytes.js'

const source = `
pragma solidity ^0.8.30;

contract Child {
  uint256 public value;
  constructor(uint256 v) payable { value = v; if (v == 13) revert("unlucky"); }
  function destroy(address payable to) external { selfdestruct(to); }
  receive() external payable {}
}

contract Probe {
  uint256 public counter;
  mapping(uint256 => uint256) public words;
  event Zero() anonymous;
  event One(uint256 a);
  event Three(address indexed a, uint256 indexed b, bytes32 indexed c, bytes d);
  error Custom(uint256 code, string text);

  receive() external payable { emit One(msg.value); }

  function set(uint256 from, uint256 count, uint256 value) external { for (uint256 i = 0; i < count; i++) words[from + i] = value; }
  function flip(uint256 key) external { words[key] = 1; words[key] = 0; words[key] = 2; words[key] = words[key + 1]; }
  function log(bytes calldata data) external payable {
    emit Zero(); emit One(data.length); emit Three(msg.sender, msg.value, keccak256(data), data);
    assembly { log4(0, 64, 1, 2, 3, 4) }
  }
  function fail(uint256 how) external payable {
    words[99] = how; emit One(how);
    if (how == 0) revert("plain");
    if (how == 1) revert Custom(7, "custom");
    if (how == 2) assert(false);
    if (how == 3) assembly { invalid() }
    if (how == 4) { uint256 x = 0; x = 1 / x; }
    if (how == 5) assembly { revert(0, 0) }
    while (true) { counter++; }
  }
  function tryFail(uint256 how) external { try this.fail{gas: 50000}(how) { } catch (bytes memory data) { emit Three(address(this), how, 0, data); } counter++; }
  function spawn(uint256 salt, uint256 value) external payable returns (address child) {
    child = address(new Child{salt: bytes32(salt), value: msg.value}(value)); emit Three(child, salt, 0, "");
  }
  function spawnPlain(uint256 value) external payable { Child child = new Child{value: msg.value}(value); emit Three(address(child), 0, 0, ""); }
  function trySpawn(uint256 value) external { try new Child(value) { } catch { emit One(404); } }
  function spawnAndDestroy(address payable to) external payable {
    Child child = new Child{value: msg.value}(1); child.destroy(to); (bool ok,) = address(child).call{value: 0}(""); emit Three(address(child), ok ? 1 : 0, 0, "");
  }
  function destroyChild(address payable child, address payable to) external { Child(child).destroy(to); }
  function send(address payable to, uint256 value) external { (bool ok, ) = to.call{value: value}(""); emit One(ok ? 1 : 0); }
  function inspect(address who) external {
    emit Three(who, who.balance, who.codehash, abi.encode(who.code.length, block.number, block.timestamp, block.basefee, block.coinbase, block.chainid, tx.gasprice, block.gaslimit, block.blobbasefee));
    emit One(uint256(blockhash(block.number - 1)) > 0 ? 1 : 0);
    emit One(uint256(blockhash(block.number)));
  }
  function precompile(address which, bytes calldata input, uint256 gasLimit) external {
    uint256 before = gasleft();
    (bool ok, bytes memory output) = which.staticcall{gas: gasLimit}(input);
    emit Three(which, ok ? 1 : 0, bytes32(before - gasleft()), output);
  }
  function delegate(address to, bytes calldata data) external payable { (bool ok, bytes memory out) = to.delegatecall(data); emit Three(to, ok ? 1 : 0, 0, out); }
  function staticWrite() external { (bool ok, bytes memory out) = address(this).staticcall(abi.encodeCall(this.set, (1, 1, 1))); emit Three(address(this), ok ? 1 : 0, 0, out); }
  function transient_(uint256 v) external { assembly { tstore(1, v) let x := tload(1) mstore(0, x) mcopy(32, 0, 32) mstore(64, clz(v)) log0(0, 96) } }
  function recurse(uint256 depth) external { if (depth > 0) { try this.recurse(depth - 1) {} catch { emit One(depth); } } counter++; }
  function grow(uint256 bytes_) external { bytes memory data = new bytes(bytes_); emit One(data.length); }
  function hash(uint256 rounds) external { bytes32 h; for (uint256 i = 0; i < rounds; i++) h = keccak256(abi.encode(h, i)); words[uint256(h)] = 1; }
  function authorized() external payable { counter += 1; emit Three(address(this), msg.value, bytes32(uint256(uint160(msg.sender))), ""); }
}
`

/** A contract whose functions touch each corner of the EVM, compiled here. */
export function compileProbe(): { readonly abi: Abi; readonly code: Uint8Array } {
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string }
  const settings = {
    evmVersion: 'osaka',
    optimizer: { enabled: true },
    outputSelection: { '*': { Probe: ['abi', 'evm.bytecode.object'] } },
  }
  const input = { language: 'Solidity', sources: { 'Probe.sol': { content: source } }, settings }
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as {
    errors?: { severity: string; formattedMessage: string }[]
    contracts: { 'Probe.sol': { Probe: { abi: Abi; evm: { bytecode: { object: string } } } } }
  }
  const errors = (output.errors ?? []).filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new SyntaxError(errors.map(error => error.formattedMessage).join('\n'))
  const { abi, evm } = output.contracts['Probe.sol'].Probe
  return { abi, code: hexToBytes(`0x${evm.bytecode.object}` as Hex) }
}
