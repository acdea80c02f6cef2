import type { Static } from 'typebox'
import type { leaseBody } from '../admin/schemas.ts'
import type { Register } from './command.ts'
import { addListOptions, showList } from './list-command.ts'
import type { View, ViewOptions } from './output.ts'
import { ageText } from './words.ts'

type LeaseBody = Static<typeof leaseBody>

const view: View<LeaseBody> = {
  columns: [
    { head: 'AGENT', value: lease => lease.agentId },
    { head: 'STATE', value: lease => (lease.fenced.length === 0 ? lease.state : `${lease.state}, fenced`) },
    { head: 'RENEWED', value: lease => ageText(lease.ageSeconds) },
    { head: 'TTL', value: lease => ageText(lease.ttlSeconds) },
    { head: 'FENCED', value: lease => lease.fenced.map(({ place, holder }) => `${place} by ${holder}`).join(', '), wide: true },
    { head: 'EPOCH', value: lease => lease.epoch, wide: true },
    { head: 'LEASE', value: lease => lease.leaseId, wide: true },
    { head: 'SERVICES', value: lease => lease.services.join(', ') },
  ],
  name: lease => lease.agentId,
  none: 'no agent is registered; a source of type vm takes them',
}

/** `isthmus agents`. */
export const register: Register = (program, context) => {
  addListOptions(program.command('agents').description('Leases of VM agents, and how long ago each was renewed.')).action(
    (options: ViewOptions & { watch?: true }) => showList<LeaseBody>(context, options, '/agents', {}, view),
  )
}
