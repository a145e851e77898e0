import { describe, expect, it } from 'vitest'
import { remoteHost, siteOf } from './remote-host.js'

describe('remoteHost', () => {
  it('is the address, or the network of an IPv6 host', () => {
    expect(remoteHost('1.2.3.4')).toBe('1.2.3.4')
    expect(remoteHost('::ffff:1.2.3.4')).toBe('1.2.3.4')
    expect(remoteHost('::1')).toBe('::1')
    expect(remoteHost('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64')
    expect(remoteHost('2001:db8::7')).toBe('2001:db8:0:0::/64')
    expect(remoteHost('fe80::1:2:3:4')).toBe('fe80:0:0:0::/64')
  })
})

describe('siteOf', () => {
  it('is one for all networks of an IPv6 site, and the host itself otherwise', () => {
    for (const network of [0, 1, 0xffff])
      expect(siteOf(remoteHost(`2001:db8:7:${network.toString(16)}::1`))).toBe('2001:db8:7::/48')
    expect(siteOf(remoteHost('2001:db8:8::1'))).toBe('2001:db8:8::/48')
    expect(siteOf('1.2.3.4')).toBe('1.2.3.4')
    expect(siteOf('::1')).toBe('::1')
  })
})
