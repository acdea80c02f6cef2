import ipaddr from 'ipaddr.js'
import { IsthmusError } from '../model/errors.ts'
import { Interner } from '../model/intern.ts'

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Ranges that are never an instance's own address: traffic sent there would end in the proxy's host (CVE-2021-25740). */
const special: Readonly<Record<string, string>> = {
  unspecified: 'unspecified',
  broadcast: 'a broadcast address',
  multicast: 'multicast',
  linkLocal: 'link-local',
  loopback: 'loopback',
}

/**
 * Makes the check of a source's addresses (reference/discovery.md 1.3). The result takes an address and gives its canonical form, or throws
 * `address-refused` saying why and which setting would change that.
 * @param rules CIDR lists: `allow` lets special ranges in, `only` restricts the rest (empty: no restriction). Bad CIDRs throw `settings-invalid`.
 */
export function addressRules(rules: { readonly allow: readonly string[]; readonly only: readonly string[] }): (address: string) => string {
  const allow = rules.allow.map(network)
  const only = rules.only.map(network)
  const admitted = new Interner<string>(10_000)
  const admit = (address: string): string => {
    if (!ipaddr.isValid(address) || (ipaddr.IPv4.isValid(address) && !ipaddr.IPv4.isValidFourPartDecimal(address))) {
      throw refused(`"${address}" is no IP address: endpoints need one, host names are not resolved here`)
    }
    const ip = ipaddr.process(address)
    const canonical = ip.toString() === address ? address : ip.toString()
    if (allow.some(one => inside(ip, one))) return canonical
    const range = special[ip.range()]
    if (range !== undefined) throw refused(`${address} is ${range}: list its range under addresses.allow if instances really live there`)
    if (only.length > 0 && !only.some(one => inside(ip, one)))
      throw refused(`${address} is outside addresses.only (${rules.only.join(', ')})`)
    return canonical
  }
  // A machine's address comes again with each of its services: checked once, and one string for all of them.
  return address => admitted.get(address, () => admit(address))
}

function refused(text: string): IsthmusError {
  return new IsthmusError('address-refused', text)
}

function network(cidr: string): Network {
  try {
    return ipaddr.parseCIDR(cidr.includes('/') ? cidr : `${cidr}/${cidr.includes(':') ? '128' : '32'}`)
  } catch (cause) {
    throw new IsthmusError('settings-invalid', `addresses: "${cidr}" is no network in CIDR form such as 10.0.0.0/8`, { cause })
  }
}

function inside(ip: ipaddr.IPv4 | ipaddr.IPv6, [base, bits]: Network): boolean {
  return ip.kind() === base.kind() && ip.match([base, bits] as [ipaddr.IPv4, number])
}
