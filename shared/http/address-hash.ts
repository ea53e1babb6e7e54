import { ipIdentity } from '../lock/ip-identity.ts';
import { masterMac } from '../master-key.ts';

/** A keyed hash of the address for log lines, which hold no address. An IPv6 address stands for its network. */
export function addressHash({ requestContext }: { requestContext: { http: { sourceIp: string } } }): string {
  const group = ipIdentity(requestContext.http.sourceIp);
  return group === '' ? '' : masterMac('log-address', group).toString('hex', 0, 8);
}
