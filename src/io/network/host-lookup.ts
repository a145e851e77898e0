import { lookup } from 'node:dns/promises'

/** The addresses of a host's name, IPv4, IPv6 or (family 0) both. @throws what the system's resolver says */
export async function lookUpHost(name: string, family: 0 | 4 | 6): Promise<string[]> {
  return (await lookup(name, { all: true, family })).map(({ address }) => address)
}
