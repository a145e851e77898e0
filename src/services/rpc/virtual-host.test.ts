import { expect, it } from 'vitest'
import { isVirtualHostAllowed } from './virtual-host.js'

it('lets IP addresses and named hosts through, with any port, and no other name', () => {
  const allowed = ['localhost', 'node.example']
  for (const header of [undefined, '', '127.0.0.1', '192.0.2.1:8545', '[::1]', '[2001:db8::1]:8545', 'LOCALHOST:1'])
    expect(isVirtualHostAllowed(header, allowed), header).toBe(true)
  expect(isVirtualHostAllowed('Node.Example:8545', allowed)).toBe(true)
  for (const header of [
    'evil.example',
    'localhost.evil.example:8545',
    '127.0.0.1.evil.example',
    '[evil]',
    ':x',
    'a:b:1',
  ])
    expect(isVirtualHostAllowed(header, allowed), header).toBe(false)
  expect(isVirtualHostAllowed('evil.example', ['*'])).toBe(true)
})
